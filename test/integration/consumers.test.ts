import { afterAll, beforeAll, expect, test } from 'vitest';
import { closeConnections, connectionsOf } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import type { ConsumerInfo } from '../support/management-client.ts';
import { queueNames } from '../support/shop.ts';

const name = 'warren-worker@test:1';
let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet(testJob(async () => {}));
  await fleet.startWorker({ WORKER_QUEUES: '' }); // the default
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

const prefetches: Record<string, number> = { critical: 20, default: 20, webhooks: 20, reports: 1 };
const expected = queueNames.flatMap((queue) =>
  [1, 2, 3, 4, 5].map((n) => ({
    tag: `${queue}.${n}@test:1`,
    queue: `warren.${queue}`,
    prefetch: prefetches[queue],
  })),
);

/** RabbitMQ goes on showing the consumers of a deleted queue for a while, without their channel. */
function isAlive({ channel_details }: ConsumerInfo): boolean {
  return channel_details.connection_name !== undefined;
}

/** What the panel shows, when it shows twenty consumers. */
async function untilTwentyConsumers(): Promise<void> {
  const consumers = await eventually(
    async () => (await fleet.vhost.management.consumers()).filter(isAlive),
    (found) => found.length === 20,
  );
  const shown = consumers.map(({ consumer_tag: tag, queue, prefetch_count: prefetch }) => ({
    tag,
    queue: queue.name,
    prefetch,
  }));
  expect(shown.toSorted((a, b) => a.tag.localeCompare(b.tag))).toEqual(
    expected.toSorted((a, b) => a.tag.localeCompare(b.tag)),
  );
  expect(new Set(consumers.map(({ channel_details: { number } }) => number)).size).toBe(20);
}

async function expectAllQueuesServed(): Promise<void> {
  const ids = await Promise.all(queueNames.map((queue) => fleet.enqueue({}, { queue })));
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
}

test('the panel shows twenty consumers of a default worker, each with its channel, its prefetch and its tag', async () => {
  await untilTwentyConsumers();
  await expectAllQueuesServed();
});

test('when the connection is closed all consumers come back, on one connection', async () => {
  using ready = listen(fleet.events, 'consumer.ready');
  await closeConnections(fleet.vhost, name);
  await ready.count(20);
  await untilTwentyConsumers();
  await expectAllQueuesServed();
  await eventually(
    // the panel tells of channels some seconds late
    async () =>
      (await connectionsOf(fleet.vhost, name)).filter(({ channels }) => (channels ?? 0) >= 20).length,
    (consuming) => consuming === 1,
  );
});

test('a queue that is deleted is declared anew and consumed again; the other consumers go on', async () => {
  using lost = listen(fleet.events, 'consumer.lost');
  using ready = listen(fleet.events, 'consumer.ready');
  await fleet.vhost.management.deleteQueue('warren.default');
  await ready.count(5, ({ queue }) => queue === 'default');
  await untilTwentyConsumers();
  await expectAllQueuesServed();
  expect(new Set(lost.all.map(({ queue }) => queue))).toEqual(new Set(['default']));
  expect(new Set(lost.all.map(({ tag }) => tag)).size).toBe(5); // one that registers while the queue still goes is lost again
});

test('a new channel starts nothing beyond the prefetch while the jobs of the one before it run on', async () => {
  const gate = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  await using other = await startFleet(
    testJob(async ({ waits }) => {
      running += 1;
      most = Math.max(most, running);
      if (waits === true) await gate.promise;
      running -= 1;
    }),
  );
  await other.startWorker({ WORKER_QUEUES: 'default:1:2,critical:1:1' });
  using started = listen(other.events, 'attempt.started');
  using ready = listen(other.events, 'consumer.ready');
  const ids = await Promise.all([1, 2, 3, 4].map(() => other.enqueue({ waits: true })));
  await started.count(2);
  await closeConnections(other.vhost, name);
  await ready.count(2);
  const later = await other.enqueue({}, { queue: 'critical', delayMs: 500 }); // time for starts that must not come
  await other.until(later);
  expect(most).toBe(3); // two of the one queue, and the one of the other
  gate.resolve();
  for (const id of ids) expect(await other.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
});
