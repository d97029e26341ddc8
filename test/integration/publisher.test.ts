import { afterAll, beforeAll, expect, test } from 'vitest';
import { Unavailable } from '../../src/shared/base/errors.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Publisher } from '../../src/shared/rabbitmq/publisher.ts';
import { closeConnections, connectionsOf, readyCount } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually, HANG_MS } from '../support/eventually.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import type { TestVhost } from '../support/servers.ts';
import { createVhost } from '../support/servers.ts';
import { queueNames } from '../support/shop.ts';

const name = 'warren-api@test:1';
const events = new Events();
let vhost: TestVhost;
let publisher: Publisher;

beforeAll(async () => {
  vhost = await createVhost();
  publisher = new Publisher({ url: vhost.url, name, channels: 4, queues: queueNames, events });
  publisher.start();
  await publisher.connection.opened(HANG_MS);
});

afterAll(async () => {
  await publisher.stop();
  await vhost[Symbol.asyncDispose]();
});

const message = (id: number, queue = 'default') => ({ id: String(id), type: 'test-job', queue });

async function untilFourChannels(): Promise<void> {
  await eventually(
    async () => {
      const [connections, channels] = [await connectionsOf(vhost, name), await vhost.management.channels()];
      return { connections, channels };
    },
    ({ connections: [connection, ...others], channels }) =>
      connection !== undefined &&
      others.length === 0 &&
      channels.length === 4 &&
      channels.every(
        ({ confirm, connection_details: details }) => confirm === true && details?.name === connection.name,
      ),
  );
}

test('the panel shows four confirm channels on one connection with the name of the process, also after publishing', async () => {
  await Promise.all(Array.from({ length: 200 }, (_, id) => publisher.publish(message(id + 1))));
  expect(await readyCount(vhost, 'warren.default')).toBe(200);
  await untilFourChannels();
});

test('a message that no queue takes counts as not published, and those beside it as published', async () => {
  await vhost.management.deleteQueue('warren.reports');
  using returned = listen(events, 'publish.returned');
  const settled = await Promise.allSettled([
    publisher.publish(message(1, 'critical')),
    publisher.publish(message(2, 'reports')),
    publisher.publish(message(3, 'critical')),
  ]);
  expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(settled[1]).toMatchObject({ reason: { name: 'Unavailable', code: 'publish_returned' } });
  expect(returned.all).toEqual([{ jobId: '2', queue: 'reports' }]);
});

test('jobs that share a message are published together or not at all', async () => {
  using failed = listen(events, 'publish.failed');
  using confirmed = listen(events, 'publish.confirmed');
  const before = await readyCount(vhost, 'warren.critical');
  const lost = [11, 12, 13].map((id) => message(id, 'no-such-queue'));
  const taken = [14, 15].map((id) => message(id, 'critical'));
  expect(await publisher.publishAll([...lost, ...taken], () => 16)).toEqual(taken);
  expect(failed.all.map(({ jobId }) => jobId)).toEqual(['11', '12', '13']);
  expect(confirmed.all).toEqual([{ count: 2 }]);
  expect(await readyCount(vhost, 'warren.critical')).toBe(before + 1);
  expect(publisher.unconfirmed).toBe(0);
});

test('when the connection is lost every publish settles, later ones are refused at once, and it comes back with four channels', async () => {
  using disconnected = listen(events, 'broker.disconnected');
  using connected = listen(events, 'broker.connected');
  const closing = closeConnections(vhost, name);
  const settled: Promise<PromiseSettledResult<void>[]>[] = [];
  const refused = disconnected.first().then(() => {
    expect(publisher.ready).toBe(false);
    return expect(publisher.publish(message(1))).rejects.toThrow(Unavailable);
  });
  let lost = false;
  void refused.finally(() => {
    lost = true;
  });
  while (!lost) {
    settled.push(
      Promise.allSettled(Array.from({ length: 20 }, (_, id) => publisher.publish(message(id + 1)))),
    );
    await new Promise(setImmediate);
  }
  await Promise.all([closing, refused]);
  const results = (await Promise.all(settled)).flat();
  for (const result of results)
    if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(Unavailable);
  expect(publisher.unconfirmed).toBe(0);
  await connected.first(({ reconnect }) => reconnect);
  await publisher.publish(message(2));
  await untilFourChannels();
});

test('an exchange that somebody deleted is declared again', async () => {
  await publisher.publish(message(9_001, 'critical'));
  await vhost.management.deleteExchange('warren');
  const again = async () => {
    try {
      await publisher.publish(message(9_002, 'critical'));
      return true;
    } catch (error) {
      if (error instanceof Unavailable) return false;
      throw error;
    }
  };
  await eventually(again, (isPublished) => isPublished);
});

test('stopping right after five hundred publishes loses none', async () => {
  const other = new Publisher({ url: vhost.url, name: 'stopping', channels: 4, queues: queueNames, events });
  other.start();
  await other.connection.opened(HANG_MS);
  const before = await readyCount(vhost, 'warren.webhooks');
  const published = Promise.all(
    Array.from({ length: 500 }, (_, id) => other.publish(message(id + 1, 'webhooks'))),
  );
  await other.stop();
  await published;
  expect((await readyCount(vhost, 'warren.webhooks')) - before).toBe(500);
  await eventually(
    () => connectionsOf(vhost, 'stopping'),
    (connections) => connections.length === 0,
  );
});

test('while the broker is behind with its confirms later publishes are left to the relay', async () => {
  await using vhost = await createVhost();
  await using proxy = await startFaultyProxy(vhost.url);
  const behind = new Publisher({ url: proxy.url, name: 'behind', channels: 1, queues: queueNames, events });
  behind.start();
  await eventually(
    () => behind.ready,
    (ready) => ready,
  );
  proxy.stall();
  const refused = behind
    .publish({ id: '1', type: 'test-job', queue: 'default' })
    .catch((error: unknown) => error);
  expect(behind.ready).toBe(true);
  await eventually(
    () => behind.ready,
    (ready) => !ready,
  );
  expect(behind.unconfirmed).toBe(1); // not given up: only nothing is added
  proxy.cut();
  expect(await refused).toBeInstanceOf(Unavailable);
  await behind.stop();
});
