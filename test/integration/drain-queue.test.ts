import postgres from 'postgres';
import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import { startApi } from '../support/api.ts';
import { listen } from '../support/events.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { createDatabase } from '../support/servers.ts';

test('a drain cancels whatever waits in the queue, in small transactions, and leaves what runs, what has ended and other queues', async () => {
  await using database = await createDatabase();
  const events = new Events();
  using ended = listen(events, 'job.ended');
  await using api = await startApi({ databaseUrl: database.url, events });
  const sql = postgres(database.url, { max: 1 });
  await using _ = { [Symbol.asyncDispose]: () => sql.end() };
  const insert = (queue: string, state: string, count: number) => sql`
    insert into warren.jobs (type, queue, args, max_attempts, state, run_at, finished_at)
    select 'build-report', ${queue}, '{}', 1, ${state}, now() + interval '1 hour', case when ${state}::text = 'completed' then now() end
    from generate_series(1, ${count})`;
  for (const [state, count] of Object.entries({
    available: 2_500,
    scheduled: 1_200,
    retryable: 3,
    held: 7,
  })) {
    await insert('reports', state, count);
    await insert('default', state, 2);
  }
  await insert('reports', 'completed', 5);
  await sql`
    insert into warren.jobs (type, queue, args, max_attempts, state, owner) values ('build-report', 'reports', '{}', 1, 'running', 1)`;

  expect(await api.post('/v1/queues/reports/drain')).toMatchObject({
    status: 200,
    body: { queue: 'reports', cancelled: 3_710 },
  });
  const counts = await sql`
    select queue, state, count(*)::int, count(distinct xmin::text)::int as transactions from warren.jobs group by 1, 2 order by 1, 2`;
  expect(counts.filter(({ queue }) => queue === 'reports')).toMatchObject([
    { state: 'cancelled', count: 3_710, transactions: 6 }, // 1 200 in two, 7 in one, 2 500 in three
    { state: 'completed', count: 5 },
    { state: 'running', count: 1 },
  ]);
  expect(counts.filter(({ queue }) => queue === 'default').map(({ count }) => count)).toEqual([2, 2, 2, 2]);
  expect(ended.all).toHaveLength(3_710);
  expect(ended.all[0]).toMatchObject({ type: 'build-report', queue: 'reports', state: 'cancelled' });
  expect(await api.post('/v1/queues/reports/drain')).toMatchObject({ body: { cancelled: 0 } });
  expect((await api.post('/v1/queues/nope/drain')).status).toBe(404);
});

test('messages of drained jobs start nothing', async () => {
  const started: unknown[] = [];
  await using fleet = await startFleet(testJob(async (args) => void started.push(args)));
  await using api = await startApi({ databaseUrl: fleet.testDatabase.url, amqpUrl: fleet.vhost.url });
  const drained = await fleet.enqueue({ name: 'drained' });
  expect((await api.post('/v1/queues/default/drain')).body).toEqual({ queue: 'default', cancelled: 1 });
  const next = await fleet.enqueue({ name: 'next' });
  await fleet.startWorker();
  await fleet.until(next, 'completed');
  expect(started).toEqual([{ name: 'next' }]);
  expect(await fleet.job(drained)).toMatchObject({ state: 'cancelled', attempt: 0 });
});
