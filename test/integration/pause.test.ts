import postgres from 'postgres';
import { expect, test } from 'vitest';
import { pauseQueue, resumeQueue } from '../../src/shared/postgres/statements/queues.ts';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { createDatabase } from '../support/servers.ts';

test('a paused queue runs nothing, and resumed it runs all', async () => {
  let runs = 0;
  await using fleet = await startFleet(
    testJob(async () => {
      runs += 1;
    }),
  );
  await fleet.startWorker();
  await fleet.database.query((sql) => pauseQueue(sql, 'default'));
  const ids = await Promise.all(Array.from({ length: 50 }, () => fleet.enqueue()));
  const other = await fleet.enqueue({}, { queue: 'critical' });
  await fleet.until(other, 'completed');
  await eventually(
    async () =>
      (await fleet.vhost.management.consumers()).filter(({ queue }) => queue.name === 'warren.default')
        .length,
    (consumers) => consumers === 0,
  );
  expect(runs).toBe(1);

  await fleet.database.query((sql) => resumeQueue(sql, 'default'));
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(runs).toBe(51);
});

test('a worker that starts while a queue is paused leaves it alone', async () => {
  let runs = 0;
  await using fleet = await startFleet(
    testJob(async () => {
      runs += 1;
    }),
  );
  await fleet.database.query((sql) => pauseQueue(sql, 'default'));
  const id = await fleet.enqueue();
  await fleet.startWorker();
  await fleet.until(await fleet.enqueue({}, { queue: 'critical' }), 'completed');
  expect(await fleet.job(id)).toMatchObject({ state: 'available', attempt: 0 });
  await fleet.database.query((sql) => resumeQueue(sql, 'default'));
  expect(await fleet.until(id)).toMatchObject({ state: 'completed' });
  expect(runs).toBe(2);
});

test('a queue is resumed after the admission that is under way, which may still hold its jobs at the pause', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  const sql = postgres(database.url, { max: 2, onnotice: () => {} });
  await using _ = { [Symbol.asyncDispose]: () => sql.end() };
  await api.post('/v1/queues/default/pause');
  const paused = async () => {
    const [queue] = await sql<{ paused: boolean }[]>`select paused from warren.queues where name = 'default'`;
    return queue?.paused;
  };
  let resumed: Promise<unknown> | undefined;
  await sql.begin(async (admission) => {
    await admission`select pg_advisory_xact_lock(2002874994, -2)`; // as warren.admit does
    resumed = api.post('/v1/queues/default/resume');
    await eventually(
      async () => (await sql`select from pg_locks where locktype = 'advisory' and not granted`).count,
      (waiting) => waiting === 1,
    );
    expect(await paused()).toBe(true);
  });
  expect(await resumed).toMatchObject({ status: 200 });
  expect(await paused()).toBe(false);
});
