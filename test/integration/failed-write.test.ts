import postgres from 'postgres';
import { expect, inject, test } from 'vitest';
import { listen } from '../support/events.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

/** Cuts every session of the fleet's database and refuses new ones, until it is called with `true`. */
async function setReachable(fleet: Fleet, reachable: boolean): Promise<void> {
  const sql = postgres(inject('databaseUrl'), { max: 1 });
  const { name } = fleet.testDatabase;
  await sql`alter database ${sql(name)} with allow_connections ${reachable ? sql`true` : sql`false`}`;
  if (!reachable) await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name}`;
  await sql.end();
}

test('when Postgres is away at the moment of recording, the job is not run again: its outcome is written later', async () => {
  let runs = 0;
  const release = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(async () => {
      runs += 1;
      await release.promise;
      return 'written late';
    }),
  );
  await fleet.startWorker();
  await fleet.startWorker();
  const ids = await Promise.all([fleet.enqueue(), fleet.enqueue(), fleet.enqueue()]);
  for (const id of ids) await fleet.until(id, 'running');
  using retried = listen(fleet.events, 'write.retried');
  using held = listen(fleet.events, 'presence.held');
  await setReachable(fleet, false);
  release.resolve();
  await retried.first(({ what, retry }) => what === 'record' && retry === 3);
  await setReachable(fleet, true);
  for (const id of ids)
    expect(await fleet.until(id)).toMatchObject({
      state: 'completed',
      attempt: 1,
      output: 'written late',
      errors: [],
    });
  expect(runs).toBe(3);
  await held.count(2); // both workers are back
});

test('jobs that come while Postgres is away wait unclaimed, and run uncharged when it is back', async () => {
  await using fleet = await startFleet(testJob(async () => 'done'));
  await fleet.startWorker();
  const ids = await fleet.enqueuer.enqueueBatch(
    Array.from({ length: 30 }, () => ({ definition: testJob(async () => {}), args: {}, delayMs: 60_000 })),
  );
  await fleet.sql((sql) => sql`update warren.jobs set state = 'available', published_at = now()`);
  using retried = listen(fleet.events, 'write.retried');
  await setReachable(fleet, false);
  await Promise.all(ids.map((id) => fleet.publisher.publish({ id, type: 'test-job', queue: 'default' })));
  await retried.first(({ what, retry }) => what === 'claim' && retry === 3);
  await setReachable(fleet, true);
  for (const id of ids)
    expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
});
