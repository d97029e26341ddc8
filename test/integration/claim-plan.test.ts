import { expect, test } from 'vitest';
import type { Sql } from '../../src/shared/postgres/database.ts';
import { claimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { markPublished } from '../../src/shared/postgres/statements/publish.ts';
import { recordOutcomes } from '../../src/shared/postgres/statements/record.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const WAITING = 5_000;
/** After five runs a session keeps the plan of a statement. */
const UNTIL_PLANS_ARE_KEPT = 8;

const insert = (fleet: Fleet, state: string, count: number) =>
  fleet.sql(async (sql) => {
    const rows = await sql<{ id: string }[]>`
      insert into warren.jobs (type, queue, args, max_attempts, state)
      select 'test-job', 'default', '{}', 1, ${state} from generate_series(1, ${count}) returning id`;
    return rows.map(({ id }) => id);
  });

/** How many rows of the table and of its indexes a statement reads. */
async function rowsRead(sql: Sql, statement: () => Promise<unknown>): Promise<number> {
  const count = async () => {
    await sql`select pg_stat_force_next_flush()`;
    const [row] = await sql<{ read: number }[]>`
      select (seq_tup_read + (select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'jobs'))::int as read
      from pg_stat_user_tables where relname = 'jobs'`;
    return row?.read ?? 0;
  };
  const before = await count();
  await statement();
  return (await count()) - before;
}

/** What a mark, a claim and a record of these jobs read. */
async function lifeReads(sql: Sql, ids: readonly string[]): Promise<number[]> {
  const statements = [
    () =>
      markPublished(
        sql,
        ids.map((id) => ({ id, fence: 0 })),
      ),
    () => claimJobs(sql, ids, { owner: '1', claimNumber: 1, types: '{test-job}' }),
    () =>
      recordOutcomes(
        sql,
        ids.map((id) => ({ id, fence: 1, act: 'complete' })),
        ['1'],
      ),
  ];
  const reads: number[] = [];
  for (const statement of statements) reads.push(await rowsRead(sql, statement));
  return reads;
}

test('a mark, a claim and a record read the rows they name, however many wait since the table was last analysed', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.sql((sql) => sql`alter table warren.jobs set (autovacuum_enabled = off)`);
  await insert(fleet, 'completed', WAITING);
  await fleet.sql((sql) => sql`analyze warren.jobs`); // at rest: nothing waits
  const ids = (await insert(fleet, 'available', WAITING)).slice(0, 20);
  const reads = await fleet.database.query((sql) => lifeReads(sql, ids));
  for (const read of reads) expect(read).toBeLessThan(WAITING / 10);
});

test('they do so too in a session that made its plans while the table was empty', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.sql((sql) => sql`alter table warren.jobs set (autovacuum_enabled = off)`);
  const reads = await fleet.database.query(async (sql) => {
    for (let run = 0; run < UNTIL_PLANS_ARE_KEPT; run += 1)
      await lifeReads(sql, await insert(fleet, 'available', 1));
    const ids = (await insert(fleet, 'available', WAITING)).slice(-20);
    return await lifeReads(sql, ids);
  }, 30_000);
  for (const read of reads) expect(read).toBeLessThan(WAITING / 10);
});
