// A transaction whose connection closes: it fails, nothing of it is committed, and the process lives, whatever postgres.js runs then.
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Unavailable } from '../../src/shared/base/errors.ts';
import { Events } from '../../src/shared/observe/events.ts';
import type { Sql } from '../../src/shared/postgres/database.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { TransactionClients } from '../../src/shared/postgres/transaction-clients.ts';
import { eventually, HANG_MS } from '../support/eventually.ts';
import { startProgram } from '../support/program.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

let place: Awaited<ReturnType<typeof createDatabase>>;
let pool: Database;
let other: Database;

beforeAll(async () => {
  place = await createDatabase();
  const common = { url: place.url, min: 1, max: 1, events: new Events(), deadlineMs: HANG_MS };
  pool = new Database({ ...common, name: 'losing' });
  other = new Database({ ...common, name: 'other' });
  await other.query((sql) => sql`create table public.notes (of text)`);
});

afterAll(async () => {
  await pool.stop();
  await other.stop();
  await place[Symbol.asyncDispose]();
});

/** Ends the session of the transaction, and resolves when the server has none of it any more. */
const endSession = async (sql: Sql): Promise<void> => {
  const [{ pid } = { pid: 0 }] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
  await other.query((query) => query`select pg_terminate_backend(${pid})`);
  await eventually(
    () => other.query((query) => query`select 1 from pg_stat_activity where pid = ${pid}`),
    (left) => left.length === 0,
  );
};

test.each<[string, (sql: Sql) => Promise<unknown>]>([
  [
    'between two statements',
    async (sql) => {
      await endSession(sql);
      await sql`select 1`;
    },
  ],
  [
    'in a statement',
    async (sql) => {
      const [{ pid } = { pid: 0 }] = await sql<{ pid: number }[]>`select pg_backend_pid() as pid`;
      const sleeping = sql`select pg_sleep(${HANG_MS / 1_000})`;
      const ended = eventually(
        () =>
          other.query(
            (query) => query`select pg_terminate_backend(pid) from pg_stat_activity
              where pid = ${pid} and wait_event = 'PgSleep'`,
          ),
        (rows) => rows.length === 1,
      );
      await Promise.all([sleeping, ended]);
    },
  ],
  [
    'in a statement whose error nobody heeds',
    async (sql) => {
      await sql`select pg_terminate_backend(pg_backend_pid())`.catch(() => {});
      await sql`insert into public.notes values ('alone')`;
    },
  ],
  [
    'long before its commit',
    async (sql) => {
      await endSession(sql);
      await delay(50); // postgres.js opens a lost connection again by itself
    },
  ],
])('%s', async (name, lose) => {
  for (let time = 0; time < 5; time += 1) {
    const transaction = pool.transaction(async (sql) => {
      await sql`insert into public.notes values (${name})`;
      await lose(sql);
    });
    await expect(transaction).rejects.toBeInstanceOf(Unavailable);
    expect(await pool.query((sql) => sql`select * from public.notes`)).toEqual([]);
  }
});

test('a statement whose error nobody heeds leaves nothing to commit', async () => {
  const transaction = pool.transaction(async (sql) => {
    await sql`insert into public.notes values ('kept')`;
    await sql`select 1 / 0`.catch(() => {});
  });
  await expect(transaction).rejects.toThrow('rolled back');
  expect(await pool.query((sql) => sql`select * from public.notes`)).toEqual([]);
});

test('the transaction of a job may run no statement for longer than its connection may idle', async () => {
  const [clients, idle] = ['slow', 'idle'].map(
    (name) => new TransactionClients({ url: place.url, name, max: 1, idleSeconds: 1 }),
  ) as [TransactionClients, TransactionClients];
  const alive = async (name: string) =>
    (
      await other.query(
        (sql) => sql<{ pid: number }[]>`select pid from pg_stat_activity where application_name = ${name}`,
      )
    ).map(({ pid }) => pid);
  const { signal } = new AbortController();
  const isNone = (pids: readonly number[]) => pids.length === 0;
  await clients.run(async ({ sql }) => {
    await sql`select 1`;
    const before = await alive('slow');
    expect(before).toHaveLength(1);
    await idle.run(async (unused) => void (await unused.sql`select 1`), signal);
    await eventually(() => alive('idle'), isNone); // one that has begun to idle later is closed
    await sql`select 1`;
    expect(await alive('slow')).toEqual(before);
  }, signal);
  await eventually(() => alive('slow'), isNone);
  await clients.close();
  await idle.close();
});

test('a worker lives on when a handler has lost its own transaction', async () => {
  await using vhost = await createVhost();
  await using database = await createDatabase();
  const env = { DATABASE_URL: database.url, AMQP_URL: vhost.url, WORKER_HEALTH_PORT: '0' };
  await using worker = await startProgram('worker', {
    ...env,
    WARREN_APP: './test/support/losing-jobs.ts',
  });
  await worker.waitForLog('a transaction has lost its connection to Postgres', { timeoutMs: HANG_MS });
  await worker.waitForLog('goes on', { timeoutMs: HANG_MS, from: worker.logs.length });
  worker.signal('SIGTERM');
  expect(await worker.exited).toEqual({ code: 0, signal: null });
});
