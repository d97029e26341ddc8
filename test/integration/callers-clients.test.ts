// Enqueuing in the transactions of the clients that people have, each with the real library: what docs/transactions.md shows is what runs here.
import { readFileSync } from 'node:fs';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Enqueued } from '../../src/index.ts';
import { Misconfigured, Warren } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import type { TestDatabase, TestVhost } from '../support/servers.ts';
import { createDatabase, createVhost } from '../support/servers.ts';
import type { Caller, OpenCaller } from './callers/caller.ts';
import { app, greet, schema } from './callers/caller.ts';
import { openDrizzle } from './callers/drizzle.ts';
import { openDrizzleOnPostgresJs } from './callers/drizzle-postgres-js.ts';
import { openKnex } from './callers/knex.ts';
import { openKysely } from './callers/kysely.ts';
import { openPg } from './callers/pg.ts';
import { openPostgresJs } from './callers/postgres-js.ts';
import { openPrisma } from './callers/prisma.ts';
import { openTypeorm } from './callers/typeorm.ts';

let database: TestDatabase;
let vhost: TestVhost;
let warren: Warren;
let sql: postgres.Sql;

beforeAll(async () => {
  [database, vhost] = await Promise.all([createDatabase(), createVhost()]);
  sql = postgres(database.url, { max: 1 });
  await sql.unsafe(schema);
  warren = new Warren({ app, databaseUrl: database.url, amqpUrl: vhost.url });
  await warren.start();
  await warren.startWorker();
});

afterAll(async () => {
  await warren?.stop();
  await sql?.end();
  await database?.[Symbol.asyncDispose]();
  await vhost?.[Symbol.asyncDispose]();
});

const callers: [name: string, open: OpenCaller][] = [
  ['postgres.js', openPostgresJs],
  ['pg', openPg],
  ['Drizzle on pg', openDrizzle],
  ['Drizzle on postgres.js', openDrizzleOnPostgresJs],
  ['Kysely', openKysely],
  ['Knex', openKnex],
  ['Prisma', openPrisma],
  ['TypeORM', openTypeorm],
];

describe.each(callers)('in a transaction of %s', (client, open) => {
  let caller: Caller;
  const name = `Ada, by ${client}`;

  beforeAll(() => {
    caller = open(database.url, warren);
  });
  afterAll(async () => await caller?.end());

  test('a job runs after the commit, and there is none after a rollback', async () => {
    const { job, created } = await caller.signUp(name);
    expect(created).toBe(true);
    const ended = await eventually(
      () => warren.jobs.find(job.id),
      (found) => found?.state === 'completed',
    );
    expect(ended).toMatchObject({ attempt: 1, output: { greeted: name } });
    await expect(caller.signUp(name)).rejects.toThrow();
    const jobs = await sql`select id from warren.jobs where args ->> 'name' = ${name}`;
    expect(jobs).toEqual([{ id: job.id }]);
  });

  test('there is no job where the work of the transaction throws after the enqueue', async () => {
    const ids: string[] = [];
    const failed = caller.transaction(async (transaction) => {
      const { job } = await warren.enqueue(greet, { name: 'nobody' }, { transaction });
      ids.push(job.id);
      throw new Error('the caller thinks better of it');
    });
    await expect(failed).rejects.toThrow('thinks better');
    expect(ids).toHaveLength(1);
    expect(await warren.jobs.find(ids[0] ?? '')).toBeUndefined();
  });

  test('a unique key that a live job holds answers with that job', async () => {
    const enqueue = async () =>
      await caller.transaction(async (transaction) => {
        const options = { transaction, uniqueKey: client, delayMs: 3_600_000 };
        return await warren.enqueue(greet, { name }, options);
      });
    const first: Enqueued = await enqueue();
    const second = await enqueue();
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.job).toEqual({ ...first.job, uniqueKey: client });
    expect(second.job.runAt).toBeInstanceOf(Date);
  });

  test('many jobs are enqueued at once, their arguments untouched', async () => {
    const names = Array.from(
      { length: 50 },
      (_, index) => `${index} ? \\? $1 :name 'O''Hara' "ß" \\ \u{1f407}`,
    );
    const jobs = names.map((each) => ({ job: greet, args: { name: each } }));
    const ids = await caller.transaction(
      async (transaction) => await warren.enqueueMany(jobs, { transaction }),
    );
    for (const [index, id] of ids.entries()) {
      const ended = await eventually(
        () => warren.jobs.find(id),
        (found) => found?.state === 'completed',
      );
      expect(ended?.output).toEqual({ greeted: names[index] });
    }
  });
});

test('a transaction that is of no known client is refused in words', async () => {
  for (const transaction of [{}, { query: {} }, { query: async () => 'nothing' }])
    await expect(
      warren.enqueue(greet, { name: 'Ada' }, { transaction: transaction as never }),
    ).rejects.toThrow(Misconfigured);
});

const examples = ['postgres-js', 'pg', 'drizzle', 'kysely', 'knex', 'prisma', 'typeorm'];

test.each(examples)('the example for %s in docs/transactions.md is the one that runs here', (file) => {
  const page = readFileSync(new URL('../../docs/transactions.md', import.meta.url), 'utf8');
  const text = readFileSync(new URL(`callers/${file}.ts`, import.meta.url), 'utf8');
  const [, example = ''] = /\/\/ example\n(.*?)^ *\/\/ end of example/ms.exec(text) ?? [];
  expect(example).not.toBe('');
  expect(page).toContain(`\n${example.replaceAll(/^ {2}/gm, '')}\`\`\`\n`);
});
