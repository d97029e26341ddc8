import { expect, test } from 'vitest';
import { Enqueuer } from '../../src/queue/enqueue.ts';
import { insertJobs } from '../../src/shared/postgres/statements/insert.ts';
import { Publisher } from '../../src/shared/rabbitmq/publisher.ts';
import { closeConnections } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { queueNames } from '../support/shop.ts';
import { testApp } from '../support/test-app.ts';

const definition = testJob(async () => {});

async function publishedAt(fleet: Fleet, id: string): Promise<Date | null> {
  const [row] = await fleet.sql((sql) => sql`select published_at from warren.jobs where id = ${id}`);
  return row?.['published_at'];
}

test('an enqueue is answered although RabbitMQ was never reached, and the relay publishes the job', async () => {
  await using fleet = await startFleet(definition);
  const { database, events } = fleet;
  const publisher = new Publisher({
    url: fleet.vhost.url,
    name: 'idle',
    channels: 4,
    queues: queueNames,
    events,
  });
  const enqueuer = new Enqueuer({ database, publisher, app: testApp([definition]), events });
  const { job } = await enqueuer.enqueue({ definition, args: {} });
  const ids = await enqueuer.enqueueBatch([{ definition, args: {} }]);
  expect(await publishedAt(fleet, job.id)).toBeNull();
  await fleet.startWorker();
  for (const id of [job.id, ...ids])
    expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
});

test('an enqueue is answered at the moment when the connection is lost, and the job runs', async () => {
  await using fleet = await startFleet(definition);
  await fleet.startWorker();
  using lost = listen(fleet.events, 'broker.disconnected');
  const closing = closeConnections(fleet.vhost, 'fleet'); // may be answered when the connection is back already
  await lost.first(({ connection }) => connection === 'fleet');
  expect(fleet.publisher.ready).toBe(false);
  const id = await fleet.enqueue();
  await closing;
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
});

test('a row whose enqueuer died between the commit and the publish is relayed', async () => {
  await using fleet = await startFleet(definition);
  await fleet.startWorker();
  using relayed = listen(fleet.events, 'maintenance.done');
  const [row] = await fleet.database.query((sql) =>
    insertJobs(sql, [{ type: 'test-job', queue: 'default', args: {}, maxAttempts: 1 }]),
  );
  expect(await fleet.until(row?.id ?? '')).toMatchObject({ state: 'completed', attempt: 1 });
  await relayed.first(({ task, count }) => task === 'relay' && count === 1);
});
