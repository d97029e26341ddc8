// The query with which KEDA scales the workers (k8s/components/queue-depth), in its own text and as the role that the documentation gives it.
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, expect, inject, test } from 'vitest';
import { parse } from 'yaml';
import { asAdministrator } from '../support/administrator.ts';
import { eventually } from '../support/eventually.ts';
import { startFile } from '../support/program.ts';
import type { TestDatabase } from '../support/servers.ts';
import { asRole, createDatabase } from '../support/servers.ts';
import { queueNames } from '../support/shop.ts';

const scaledObject = parse(
  readFileSync(resolve(import.meta.dirname, '../../k8s/components/queue-depth/scaled-object.yaml'), 'utf8'),
);
const [{ metadata }] = scaledObject.spec.triggers;
/** What eight workers of the default settings run at once. */
const MOST = 2_440;

let database: TestDatabase;
let administrator: postgres.Sql;
let scaler: postgres.Sql;

beforeAll(async () => {
  database = await createDatabase();
  administrator = open(database.url);
  scaler = open(asRole(database.url, 'scaler'));
  // Statistics are the test's to make.
  await administrator`alter table warren.jobs set (autovacuum_enabled = off)`;
});

beforeEach(async () => {
  await administrator`truncate warren.jobs, warren.queues, warren.unserved_types`;
});

afterAll(async () => {
  await Promise.all([administrator.end(), scaler.end()]);
  await database[Symbol.asyncDispose]();
});

function open(url: string): postgres.Sql {
  return postgres(url, { max: 1, onnotice: () => {} });
}

async function insert(jobs: { queue?: string; state?: string; count?: number; type?: string }) {
  const { queue = 'default', state = 'available', count = 1, type = 'test-job' } = jobs;
  await administrator`
    insert into warren.jobs (type, queue, args, max_attempts, state)
    select ${type}, ${queue}, '{}', 1, ${state} from generate_series(1, ${count})`;
}

/** As KEDA does it: the first column of the one row. */
async function ask(sql = scaler): Promise<unknown> {
  const rows = await sql.unsafe(metadata.query, [], { prepare: true }).values();
  expect(rows).toHaveLength(1);
  return rows[0]?.[0];
}

test('what waits and what runs is counted, in every queue of the fleet and in no other', async () => {
  expect(await ask()).toBe(0);
  for (const queue of queueNames) {
    await insert({ queue, count: 3 });
    await insert({ queue, state: 'running', count: 2 });
  }
  expect(await ask()).toBe(5 * queueNames.length);
  for (const state of ['scheduled', 'retryable', 'completed', 'cancelled', 'discarded'])
    await insert({ state });
  for (const state of ['available', 'running']) await insert({ queue: 'of-another-application', state });
  expect(await ask()).toBe(5 * queueNames.length);
});

test('what waits in a paused queue needs no worker, what still runs there does', async () => {
  await insert({ queue: 'reports', count: 7 });
  await insert({ queue: 'reports', state: 'running', count: 2 });
  await insert({ count: 3 });
  await administrator`insert into warren.queues (name, paused) values ('reports', true), ('default', false)`;
  expect(await ask()).toBe(5);
  await administrator`update warren.queues set paused = false`;
  expect(await ask()).toBe(12);
});

test('what no living worker runs is not counted, however much of it waits before the rest', async () => {
  await insert({ count: MOST + 100, type: 'of-nobody' });
  await insert({ count: 4 });
  await insert({ queue: 'reports', count: 2, type: 'of-nobody' });
  await administrator`
    insert into warren.unserved_types (queue, type, jobs)
    values ('default', 'of-nobody', ${MOST + 100}), ('reports', 'of-nobody', 5)`;
  expect(await ask()).toBe(4);
});

test('no more is counted than the largest fleet has slots for, and no more rows are read for it, whatever waits and whatever has ended', async () => {
  await insert({ state: 'completed', count: 20_000 });
  for (const queue of ['default', 'reports']) await insert({ queue, count: 10_000 });
  await administrator`analyze warren.jobs`;
  const before = await rowsRead();
  expect(await ask()).toBe(MOST);
  expect((await rowsRead()) - before).toBeLessThan(3 * MOST);
});

/** What the scaler's session and all before it have read of the table, by way of an index or not. */
async function rowsRead(): Promise<number> {
  await scaler`select pg_stat_force_next_flush()`;
  const [row] = await scaler<{ read: number }[]>`
    select (seq_tup_read + (select sum(idx_tup_read) from pg_stat_user_indexes where relname = 'jobs'))::int as read
    from pg_stat_user_tables where relname = 'jobs'`;
  return row?.read ?? 0;
}

const refused = [
  'select args from warren.jobs',
  'select id from warren.jobs',
  'select * from warren.queues',
  'select type from warren.unserved_types',
  'select from warren.workers limit 1',
  "update warren.jobs set state = 'available'",
  'delete from warren.jobs',
];

test.each(refused)('the role that counts may not: %s', async (statement) => {
  await expect(scaler.unsafe(statement)).rejects.toThrow('permission denied');
});

test('the migration of a cluster waits until there is the role, and grants it that much', async () => {
  await using role = roleToCome();
  await using empty = await createDatabase({ migrated: false });
  const env = { DATABASE_URL: empty.url, SCALER_ROLE: role.name };
  await using migration = await startFile('dev/container/migrate.ts', env);
  await eventually(
    () => migration.text.join('\n'),
    (text) => text.includes(`waiting for the role ${role.name}`),
  );
  await role.createFor(empty);
  expect(await migration.exited).toEqual({ code: 0, signal: null });
  const sql = open(Object.assign(new URL(empty.url), { username: role.name, password: role.name }).href);
  try {
    expect(await ask(sql)).toBe(0);
    for (const statement of refused) await expect(sql.unsafe(statement)).rejects.toThrow('permission denied');
  } finally {
    await sql.end();
  }
});

/** A role that is not there yet, as where an operator has still to make it. Its password is its name. */
function roleToCome(): AsyncDisposable & { name: string; createFor(of: TestDatabase): Promise<void> } {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const execute = (statement: string) =>
    asAdministrator(inject('databaseUrl'), async (sql) => {
      await sql.unsafe(statement);
    });
  return {
    name,
    createFor: async (of) => {
      await execute(
        `create role ${name} login password '${name}'; grant connect on database ${of.name} to ${name}`,
      );
    },
    [Symbol.asyncDispose]: async () => execute(`drop role if exists ${name}`),
  };
}
