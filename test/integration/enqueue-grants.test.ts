// What a role may enqueue with the grants that docs/security.md has for it, and how the SQL of docs/transactions.md fares with them.
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Warren } from '../../src/index.ts';
import { documentedBlocks, documentedSql } from '../support/documented.ts';
import { eventually } from '../support/eventually.ts';
import type { TestRole } from '../support/roles.ts';
import { createRole } from '../support/roles.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';
import { app, greet, schema } from './callers/caller.ts';

const grants = documentedSql('security.md')[2] ?? [];

let role: TestRole;
let database: TestDatabase;
let warren: Warren;
let administrator: postgres.Sql;
let crm: postgres.Sql;

/** Gives the role these grants, or takes them. */
async function apply(verb: 'grant' | 'revoke', statements: readonly string[]): Promise<void> {
  for (const statement of statements) {
    const text = statement.replace(/ to crm$/, ` to ${role.name}`);
    await administrator.unsafe(
      verb === 'grant' ? text : text.replace(/^grant/, 'revoke').replace(/ to (\w+)$/, ' from $1'),
    );
  }
}

const namesOf = async () =>
  await administrator<{ name: string; state: string }[]>`
    select args ->> 'name' as name, state from warren.jobs order by id`;

beforeAll(async () => {
  role = await createRole();
  database = await createDatabase();
  administrator = postgres(database.url, { max: 1 });
  await administrator.unsafe(schema);
  await administrator.unsafe(`grant insert on customers to ${role.name}`);
  crm = postgres(await role.connectTo(database.url), { max: 1 });
  warren = new Warren({ app, databaseUrl: database.url, amqpUrl: 'none' });
  await warren.start();
});

afterAll(async () => {
  await warren?.stop();
  await crm?.end();
  await administrator?.end();
  await database?.[Symbol.asyncDispose]();
  await role?.[Symbol.asyncDispose]();
});

class RolledBack extends Error {
  readonly code = 'rolled back';
}

/** Runs it in a transaction that does not commit, and returns the code of what ended that. */
async function codeOf(work: (transaction: postgres.TransactionSql) => Promise<void>): Promise<string> {
  const ended = crm.begin(async (transaction) => {
    await work(transaction);
    throw new RolledBack();
  });
  return await ended.then(
    () => '',
    ({ code }) => code,
  );
}

const inSql = async (transaction: postgres.TransactionSql) => {
  await transaction`select warren.enqueue('greet', '{"name": "Ada"}', queue => 'default', unique_key => 'held')`;
};
const throughClient = async (transaction: postgres.TransactionSql) => {
  const options = { transaction, uniqueKey: 'held' };
  await warren.enqueue(greet, { name: 'Ada' }, options);
  expect((await warren.enqueue(greet, { name: 'Ada' }, options)).created).toBe(false);
};

describe('with the documented grants', () => {
  test('a role enqueues in SQL and through a client, and with one of them missing it does not', async () => {
    expect(grants).toHaveLength(5);
    await apply('grant', grants);
    const codes = async () => [await codeOf(inSql), await codeOf(throughClient)];
    expect(await codes()).toEqual(['rolled back', 'rolled back']);
    const refusals = [];
    for (const grant of grants) {
      await apply('revoke', [grant]);
      refusals.push(await codes());
      await apply('grant', [grant]);
    }
    const [both, sqlOnly, clientOnly] = [
      ['42501', '42501'],
      ['42501', 'rolled back'],
      ['rolled back', '42501'],
    ];
    expect(refusals).toEqual([both, both, sqlOnly, clientOnly, clientOnly]);
  });

  test('a role runs the SQL of docs/transactions.md, in a transaction and by a trigger', async () => {
    await apply('grant', grants);
    const [alone = '', inTransaction = '', trigger = ''] = documentedBlocks('transactions.md');
    await crm.unsafe(alone);
    await crm.unsafe(inTransaction);
    await administrator.unsafe(trigger);
    await crm.unsafe(`insert into customers (name) values ('Grace'), ('Edsger')`);
    const taken = crm.unsafe(`insert into customers (name) values ('Barbara'), ('Grace')`);
    await expect(taken).rejects.toMatchObject({ code: '23505' });
    const worker = await warren.startWorker();
    await eventually(namesOf, (jobs) => jobs.filter(({ state }) => state === 'completed').length === 3);
    await worker.stop();
    expect(await namesOf()).toEqual([
      { name: 'Ada', state: 'completed' },
      { name: 'Ada', state: 'scheduled' },
      { name: 'Grace', state: 'completed' },
      { name: 'Edsger', state: 'completed' },
    ]);
  });
});
