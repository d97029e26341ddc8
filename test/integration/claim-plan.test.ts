import { expect, test } from 'vitest';
import type { Sql } from '../../src/shared/postgres/database.ts';
import { claimJobs, markPublished, recordOutcomes } from '../../src/shared/postgres/jobs.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const WAITING = 5_000;

/** How many rows of the jobs' indexes a statement reads. */
async function entriesRead(sql: Sql, statement: () => Promise<unknown>): Promise<number> {
  const count = async () => {
    await sql`select pg_stat_force_next_flush()`;
    const [row] = await sql<{ read: number }[]>`
      select sum(idx_tup_read)::int as read from pg_stat_user_indexes where relname = 'jobs'`;
    return row?.read ?? 0;
  };
  const before = await count();
  await statement();
  return (await count()) - before;
}

test('a claim, a mark and a record read the rows they name, however many wait since the table was last analysed', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.sql((sql) => sql`alter table warren.jobs set (autovacuum_enabled = off)`);
  const insert = (state: string) =>
    fleet.sql(
      (sql) => sql<{ id: string }[]>`
        insert into warren.jobs (type, queue, args, max_attempts, state)
        select 'test-job', 'default', '{}', 1, ${state} from generate_series(1, ${WAITING}) returning id`,
    );
  await insert('completed');
  await fleet.sql((sql) => sql`analyze warren.jobs`); // at rest: nothing waits
  const ids = (await insert('available')).slice(0, 20).map(({ id }) => id);
  const jobs = ids.map((id) => ({ id, fence: 0 }));
  await fleet.sql(async (sql) => {
    const claim = () => claimJobs(sql, ids, { owner: '1', batch: 1 });
    const record = () =>
      recordOutcomes(
        sql,
        ids.map((id) => ({ id, fence: 1, state: 'completed' })),
      );
    expect(await entriesRead(sql, () => markPublished(sql, jobs))).toBeLessThan(WAITING / 10);
    expect(await entriesRead(sql, claim)).toBeLessThan(WAITING / 10);
    expect(await entriesRead(sql, record)).toBeLessThan(WAITING / 10);
  });
});
