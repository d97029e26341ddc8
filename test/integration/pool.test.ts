import postgres from 'postgres';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { Unavailable } from '../../src/shared/base/errors.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { eventually } from '../support/eventually.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

const MIN = 2;
const MAX = 5;
let testDatabase: TestDatabase;
let admin: postgres.Sql;
let database: Database;

beforeAll(async () => {
  testDatabase = await createDatabase();
  admin = postgres(testDatabase.url, { max: 1, connection: { application_name: 'admin' } });
  database = new Database({ url: testDatabase.url, name: 'pool', min: MIN, max: MAX, events: new Events() });
  database.start();
});

afterAll(async () => {
  await database.stop();
  await admin.end();
  await testDatabase[Symbol.asyncDispose]();
});

async function openCount(): Promise<number> {
  const rows = await admin`select pid from pg_stat_activity where application_name = 'pool'`;
  return rows.length;
}

const untilOpen = (count: number) => eventually(openCount, (open) => open === count);

test('the smallest number of connections is open from the start, before anybody asks', async () => {
  await untilOpen(MIN);
});

test('under load there are never more than the largest number, and at rest the smallest is left', async () => {
  let isSeen = false;
  const counts: number[] = [];
  const work = async () => {
    do await database.query(async (sql) => await sql`select pg_sleep(0.02)`);
    while (!isSeen);
  };
  const load = Promise.all(Array.from({ length: 60 }, work));
  const look = async () => counts.push(await openCount());
  await eventually(look, () => counts.at(-1) === MAX).finally(() => {
    isSeen = true;
  });
  for (let more = 0; more < 10; more += 1) await look();
  await load;
  expect(Math.max(...counts)).toBe(MAX);
  await untilOpen(MIN);
});

test('connections that break are opened again by themselves', async () => {
  const openPids = async () => {
    const rows = await admin`select pid from pg_stat_activity where application_name = 'pool'`;
    return rows.map(({ pid }) => Number(pid));
  };
  const ended = await openPids();
  expect(ended).toHaveLength(MIN);
  await admin`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pool'`;
  await eventually(openPids, (pids) => pids.length === MIN && !pids.some((pid) => ended.includes(pid)));
});

test('a statement that misses its deadline is given up as Unavailable; the next works, and the pool is whole', async () => {
  const late = Array.from({ length: MAX + 2 }, () =>
    database.query(async (sql) => await sql`select pg_sleep(60)`, 100),
  );
  for (const settled of await Promise.allSettled(late))
    expect(settled).toMatchObject({ status: 'rejected', reason: { name: 'Unavailable' } });
  const [row] = await database.query(async (sql) => await sql<{ answer: number }[]>`select 42 as answer`);
  expect(row?.answer).toBe(42);
  await eventually(
    async () =>
      admin`select 1 from pg_stat_activity where application_name = 'pool' and query like '%pg_sleep(60)%'`,
    (rows) => rows.length === 0, // the server notices that the client has gone
  );
  await untilOpen(MIN);
});

test('a statement that Postgres refuses throws what Postgres says; one that can succeed later is Unavailable', async () => {
  await expect(database.query(async (sql) => await sql`select 1/0`)).rejects.toMatchObject({ code: '22012' });
  const killsItself = database.query(async (sql) => await sql`select pg_terminate_backend(pg_backend_pid())`);
  await expect(killsItself).rejects.toThrow(Unavailable);
});

test('a stopped pool refuses statements and leaves no connection open', async () => {
  const stopped = new Database({
    url: testDatabase.url,
    name: 'stopped',
    min: 2,
    max: 4,
    events: new Events(),
  });
  stopped.start();
  await stopped.query(async (sql) => await sql`select 1`);
  await stopped.stop();
  await expect(stopped.query(async (sql) => await sql`select 1`)).rejects.toThrow(Unavailable);
  await eventually(
    async () => admin`select pid from pg_stat_activity where application_name = 'stopped'`,
    (rows) => rows.length === 0,
  );
});

test('an answer that is read long after its deadline is refused: the process stood still, and others may have acted', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] }); // as in a process that was stopped: the answer is read before the timer fires
  try {
    const late = database.query(async (sql) => await sql`select pg_sleep(2.3)`, 100);
    await expect(late).rejects.toThrow('stood still');
  } finally {
    vi.useRealTimers();
  }
});
