// The counts that the database keeps of its jobs: the same as a full count, whatever changes jobs and whoever dies meanwhile.
import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Database } from '../../src/shared/postgres/database.ts';
import { countJobs, foldCounts } from '../../src/shared/postgres/statements/counts.ts';
import { createCountFolder } from '../../src/worker/maintenance/count-folder.ts';
import { eventually } from '../support/eventually.ts';
import { findMiscounts } from '../support/miscounts.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase, openAs } from '../support/servers.ts';

let testDatabase: TestDatabase;
let sql: postgres.Sql;
/** With a worker's grants, no more. */
let database: Database;

beforeAll(async () => {
  testDatabase = await createDatabase();
  sql = postgres(testDatabase.url, { max: 8, onnotice: () => {} });
  database = openAs(testDatabase.url, 'worker');
});

afterAll(async () => {
  await database.stop();
  await sql.end();
  await testDatabase[Symbol.asyncDispose]();
});

beforeEach(async () => {
  await sql`truncate warren.jobs`;
});

async function insert(session: postgres.Sql, jobs: number, state = 'available'): Promise<void> {
  await session`
    insert into warren.jobs (type, queue, state, max_attempts, args)
    select 'test-' || n % 3, case n % 2 when 0 then 'default' else 'reports' end, ${state}, 1, '{}'
    from generate_series(1, ${jobs}) as n`;
}

const countedRows = async () => Number((await sql`select count(*) as n from warren.job_counts`)[0]?.['n']);

test('whatever a statement does to jobs is counted: inserts, changes of state, queue and type, conflicts, deletes, truncation', async () => {
  const check = async () => expect(await findMiscounts(sql)).toEqual([]);
  await insert(sql, 60);
  await check();
  await sql`update warren.jobs set state = 'running' where id % 3 = 0`;
  await check();
  await sql`update warren.jobs set published_at = now()`; // which changes no count
  expect(await countedRows()).toBe(6 + 4);
  await sql`update warren.jobs set queue = 'moved', type = 'other', state = 'completed' where id % 2 = 0`;
  await check();
  await sql`
    with gone as (delete from warren.jobs where state = 'completed' and id % 4 = 0),
    changed as (update warren.jobs set state = 'discarded' where state = 'completed' and id % 4 <> 0)
    insert into warren.jobs (type, queue, state, max_attempts, args) values ('test-0', 'default', 'held', 1, '{}')`;
  await check();
  await sql`
    insert into warren.jobs (id, type, queue, state, max_attempts, args)
    select id, type, queue, 'scheduled', 1, '{}' from warren.jobs
    on conflict (id) do update set state = 'scheduled'`;
  await check();
  expect(await countJobs(sql)).not.toEqual([]);
  await sql`truncate warren.jobs`;
  await check();
  expect(await countJobs(sql)).toEqual([]);
});

test('what is rolled back is not counted, and what a session did that died neither', async () => {
  await insert(sql, 10);
  const name = 'doomed';
  const doomed = postgres(testDatabase.url, {
    max: 1,
    onnotice: () => {},
    connection: { application_name: name },
  });
  const died = doomed.unsafe(`
    begin;
    insert into warren.jobs (type, queue, state, max_attempts, args)
    select 'test-job', 'default', 'available', 1, '{}' from generate_series(1, 100);
    select pg_sleep(60)`);
  const kill = async () =>
    (
      await sql`
        select pg_terminate_backend(pid) from pg_stat_activity
        where application_name = ${name} and wait_event = 'PgSleep'`
    ).length;
  await Promise.all([expect(died).rejects.toThrow(), eventually(kill, (killed) => killed === 1)]);
  await doomed.end({ timeout: 0 }); // it would wait for an answer that cannot come
  const rolledBack = sql.begin(async (transaction) => {
    await transaction`delete from warren.jobs`;
    throw new Error('rolled back');
  });
  await expect(rolledBack).rejects.toThrow('rolled back');
  expect((await countJobs(sql)).reduce((sum, { count }) => sum + count, 0)).toBe(10);
  expect(await findMiscounts(sql)).toEqual([]);
});

test('folding leaves a row for each count, changes none, waits for no writer, and two folds at once are one', async () => {
  for (let statement = 0; statement < 40; statement += 1) await insert(sql, 3);
  const open = Promise.withResolvers<void>();
  const inserted = Promise.withResolvers<void>();
  const writer = sql.begin(async (transaction) => {
    await insert(transaction as unknown as postgres.Sql, 5, 'scheduled');
    inserted.resolve();
    await open.promise;
  });
  await inserted.promise;
  const fold = () => database.query((folding) => foldCounts(folding, { worthwhile: 50, limit: 1_000 }));
  const folded = await Promise.all([fold(), fold()]);
  expect(folded.toSorted((a, b) => a - b)).toEqual([0, 120]);
  expect(await countedRows()).toBe(3);
  expect(await findMiscounts(sql)).toEqual([]);
  open.resolve();
  await writer;
  expect(await findMiscounts(sql)).toEqual([]);
  expect(await fold()).toBe(0); // not worth a write
  const inParts = () => database.query((folding) => foldCounts(folding, { worthwhile: 0, limit: 4 }));
  expect(await inParts()).toBe(4);
  expect(await findMiscounts(sql)).toEqual([]);
});

test('the counts are right while many write and the leader folds', async () => {
  const round = createCountFolder({ database });
  const writers = Array.from({ length: 6 }, async () => {
    for (let statement = 0; statement < 100; statement += 1) {
      await insert(sql, 4);
      await sql`
        update warren.jobs set state = 'running'
        where id = any(array(select id from warren.jobs where state = 'available' limit 3 for update skip locked))`;
    }
  });
  let isOver = false;
  const written = Promise.all(writers).finally(() => {
    isOver = true;
  });
  while (!isOver) {
    await round();
    expect(await findMiscounts(sql)).toEqual([]);
  }
  await written;
  await round();
  expect(await countedRows()).toBeLessThanOrEqual(2_000);
  expect(await findMiscounts(sql)).toEqual([]);
});

test('counts that were lost, as by a restore that fires no triggers, are made anew', async () => {
  await sql`alter table warren.jobs disable trigger user`;
  await insert(sql, 12);
  await sql`alter table warren.jobs enable trigger user`;
  expect(await findMiscounts(sql)).not.toEqual([]);
  await sql`select warren.recount_jobs()`;
  expect(await findMiscounts(sql)).toEqual([]);
});
