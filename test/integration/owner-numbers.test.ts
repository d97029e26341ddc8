// The numbers that workers are known by, where others hold their locks or rows name them already.
import { randomInt } from 'node:crypto';
import postgres from 'postgres';
import { afterEach, expect, test, vi } from 'vitest';
import { ADVISORY_CLASS } from '../../src/shared/postgres/statements/parts.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { createRole } from '../support/roles.ts';
import { untilMarkedStarted } from '../support/start-mark.ts';

// Owner numbers are drawn at random: these tests say what is drawn.
vi.mock(import('node:crypto'), async (original) => {
  const actual = await original();
  return { ...actual, randomInt: vi.fn(actual.randomInt) as unknown as typeof actual.randomInt };
});

const draw = vi.mocked(randomInt as (min: number, max: number) => number);

afterEach(() => {
  draw.mockReset();
});

const owners = async (fleet: Fleet) => {
  const rows = await fleet.sql(
    (sql) => sql<{ owner: number }[]>`
      select owner from warren.workers where beat_at > now() - interval '10 seconds' and name like 'warren-worker%'`,
  );
  return rows.map(({ owner }) => owner);
};

test('a role that holds the locks of the numbers that are drawn keeps no worker away', async () => {
  await using outsider = await createRole();
  await using fleet = await startFleet(testJob(async () => {}));
  const sql = postgres(await outsider.connectTo(fleet.testDatabase.url), { max: 1 });
  try {
    await sql`select pg_advisory_lock(${ADVISORY_CLASS}::int, n) from generate_series(1, 20) as n`;
    for (const number of [1, 2, 3, 4, 5, 6, 7, 20, 21]) draw.mockReturnValueOnce(number);
    await fleet.startWorker();
    expect(await owners(fleet)).toEqual([21]);
    await fleet.until(await fleet.enqueue(), 'completed');
  } finally {
    await sql.end();
  }
});

test('a number that a running job or a worker of before is named by is not given again', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.sql(async (sql) => {
    await sql`insert into warren.workers (owner, name) values (7, 'of a restored backup')`;
    await sql`insert into warren.jobs (type, queue, state, owner, max_attempts, args)
      values ('test-job', 'default', 'running', 8, 1, '{}')`;
  });
  for (const number of [7, 8, 9]) draw.mockReturnValueOnce(number);
  await fleet.startWorker();
  expect(await owners(fleet)).toEqual([9]);
  const free = await fleet.sql(
    (sql) =>
      sql`select pg_try_advisory_lock(${ADVISORY_CLASS}::int, n) as free from unnest(array[7, 8]) as n`,
  );
  expect(free).toEqual([{ free: true }, { free: true }]);
});

test('a worker whose lock goes to another role takes a new number, and its running jobs with it', async () => {
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  await using outsider = await createRole();
  await using fleet = await startFleet(testJob(() => released));
  for (const number of [31, 32]) draw.mockReturnValueOnce(number);
  using held = listen(fleet.events, 'presence.held');
  await fleet.startWorker();
  const id = await fleet.enqueue();
  await untilMarkedStarted(fleet, id);
  const sql = postgres(await outsider.connectTo(fleet.testDatabase.url), { max: 1 });
  try {
    const [, stolen] = [
      await sql`select 1`,
      sql`select pg_advisory_lock(${ADVISORY_CLASS}::int, 31)`.execute(),
    ];
    await eventually(
      () =>
        fleet.sql(
          (admin) => admin`select from pg_locks where locktype = 'advisory' and objid = 31 and not granted`,
        ),
      (waiting) => waiting.length === 1,
    );
    await fleet.sql(
      (admin) => admin`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name like '% presence'`,
    );
    await stolen;
    await held.first(({ owner }) => owner === '32');
    const [row] = await fleet.sql(
      (admin) => admin`
        select job.owner, started_batch >= claim_batch as told from warren.jobs job
        join warren.workers worker using (owner) where id = ${id}`,
    );
    expect(row).toEqual({ owner: '32', told: true });
    await fleet.startWorker(); // may take over what looks dead
    release();
    expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
    await fleet.until(await fleet.enqueue(), 'completed');
  } finally {
    await sql.end();
  }
});

test('a lost session that Postgres believes in still is ended by its own worker, which keeps its number', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await using proxy = await startFaultyProxy(fleet.testDatabase.url);
  using held = listen(fleet.events, 'presence.held');
  await fleet.startWorker({ DATABASE_URL: proxy.url });
  const [number] = await owners(fleet);
  proxy.abandon();
  await held.count(2);
  expect(held.all.map(({ owner }) => Number(owner))).toEqual([number, number]);
  await fleet.until(await fleet.enqueue(), 'completed');
});
