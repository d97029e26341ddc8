import { expect, test } from 'vitest';
import { Misconfigured } from '../../src/shared/base/errors.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Publisher } from '../../src/shared/rabbitmq/publisher.ts';
import { declareTopology } from '../../src/shared/rabbitmq/topology.ts';
import { readConfig } from '../../src/shared/settings/config.ts';
import { Worker } from '../../src/worker/worker.ts';
import { onChannel } from '../support/broker.ts';
import { createDatabase, createVhost } from '../support/servers.ts';
import { queueNames } from '../support/shop.ts';
import { testApp } from '../support/test-app.ts';

const namesAll = /'x-delivery-limit' for queue 'warren\.default'.*'100000'.*'5'/;

async function failure(failed: Promise<never>): Promise<Error> {
  return await failed.catch((error: Error) => error);
}

test('a queue of ours that exists with other arguments fails a worker and a publisher by its name, the argument and both values', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  await onChannel(vhost, (channel) =>
    channel.assertQueue('warren.default', {
      durable: true,
      arguments: {
        'x-queue-type': 'quorum',
        'x-dead-letter-exchange': 'warren.dead',
        'x-delivery-limit': 5,
      },
    }),
  );
  const environment = { DATABASE_URL: database.url, AMQP_URL: vhost.url };
  const worker = new Worker({
    config: readConfig('worker', testApp(), environment),
    name: 'warren-worker@test:1',
    app: testApp(),
    events: new Events(),
  });
  const started = worker.start(new AbortController().signal);
  const refusal = await failure(worker.failed);
  expect(refusal).toBeInstanceOf(Misconfigured);
  expect(refusal.message).toMatch(namesAll);
  expect(refusal.message).toContain('delete it in the admin panel');
  await started;
  await worker.stop();

  const publisher = new Publisher({
    url: vhost.url,
    name: 'test',
    channels: 1,
    queues: queueNames,
    events: new Events(),
  });
  publisher.start();
  expect((await failure(publisher.connection.failed)).message).toMatch(namesAll);
  await publisher.stop();
});

test('a queue of the other type fails a publisher by the name of the queue and both types', async () => {
  await using vhost = await createVhost();
  await onChannel(vhost, (channel) => declareTopology(channel, ['default'], 'classic'));
  const publisher = new Publisher({
    url: vhost.url,
    name: 'test',
    channels: 1,
    queues: ['default'],
    events: new Events(),
  });
  publisher.start();
  const refusal = await failure(publisher.connection.failed);
  expect(refusal).toBeInstanceOf(Misconfigured);
  expect(refusal.message).toMatch(/'x-queue-type' for queue 'warren\.default'.*'quorum'.*'classic'/);
  await publisher.stop();
});
