// The test kit of applications, `warren/testing`, on a real Postgres.
import { AssertionError } from 'node:assert';
import postgres from 'postgres';
import { describe, expect, inject, test } from 'vitest';
import { z } from 'zod';
import type { JobContext } from '../../src/index.ts';
import { cancel, defineApp, defineJob, InvalidInput, snooze } from '../../src/index.ts';
import type { TestKit } from '../../src/testing.ts';
import { testWarren } from '../../src/testing.ts';
import { eventually } from '../support/eventually.ts';

interface Services {
  sent: string[];
  sql: postgres.Sql;
}

const greet = defineJob({
  type: 'greet',
  queue: 'mail',
  args: z.object({
    name: z.string(),
    tags: z.array(z.string()).default([]),
    at: z.object({ hour: z.int() }).optional(),
  }),
  maxAttempts: 3,
  perform: async ({ name }, { services, attempt }: JobContext<Services>) => {
    if (name === 'nobody') throw new Error(`there is nobody, attempt ${attempt}`);
    if (name === 'late') return snooze(60_000);
    if (name === 'gone') return cancel('has moved');
    services.sent.push(name);
    return { greeted: name };
  },
});
const greetAll = defineJob({
  type: 'greet-all',
  queue: 'lists',
  args: z.object({ names: z.array(z.string()) }),
  perform: async ({ names }, { services: { sql } }: JobContext<Services>) => {
    for (const name of names) await sql`select warren.enqueue('greet', ${sql.json({ name })})`;
  },
});
const sent: string[] = [];
const app = defineApp({
  name: 'crm',
  queues: { mail: {}, lists: {} },
  jobs: [greet, greetAll],
  services: ({ sql }): Services => ({ sent, sql }),
});
const start = (): Promise<TestKit> => testWarren({ app, databaseUrl: inject('databaseUrl') });

test('a direct address among the settings leads nothing of the kit to another database', async () => {
  const databaseUrl = inject('databaseUrl');
  await using kit = await testWarren({ app, databaseUrl, settings: { DATABASE_DIRECT_URL: databaseUrl } });
  await using _worker = await kit.warren.startWorker();
  const sql = postgres(kit.databaseUrl, { max: 1 });
  const presences = async () =>
    await sql`select from pg_stat_activity where datname = current_database() and application_name like '% presence'`;
  await eventually(presences, ({ length }) => length === 1);
  await sql.end();
});

test('the kit has a database of its own, which is gone afterwards', async () => {
  const kit = await start();
  const name = new URL(kit.databaseUrl).pathname.slice(1);
  const sql = postgres(inject('databaseUrl'), { max: 1 });
  const find = async () => (await sql`select from pg_database where datname = ${name}`).length;
  expect(await find()).toBe(1);
  await kit[Symbol.asyncDispose]();
  expect(await find()).toBe(0);
  await sql.end();
});

describe('one job by itself', () => {
  test.each([
    ['completes', 'Ada', {}, { state: 'completed', output: { greeted: 'Ada' } }],
    [
      'fails and is tried again',
      'nobody',
      { attempt: 2 },
      { state: 'retryable', error: expect.stringContaining('there is nobody, attempt 2') },
    ],
    [
      'fails for the last time',
      'nobody',
      { attempt: 3 },
      { state: 'discarded', error: expect.stringContaining('attempt 3') },
    ],
    ['is snoozed', 'late', {}, { state: 'scheduled', delayMs: 60_000 }],
    ['is cancelled', 'gone', {}, { state: 'cancelled', error: 'has moved' }],
  ])('%s', async (_, name, options, performed) => {
    await using kit = await start();
    expect(await kit.perform(greet, { name }, options)).toEqual(
      performed.state === 'retryable' ? { ...performed, delayMs: expect.any(Number) } : performed,
    );
    expect(await kit.enqueued(greet)).toEqual([]);
  });

  test('is not even begun with arguments that do not fit', async () => {
    await using kit = await start();
    await expect(kit.perform(greet, { name: 1 } as never)).rejects.toThrow(InvalidInput);
  });
});

describe('what was enqueued', () => {
  test('is listed, large arguments included, and is not run', async () => {
    await using kit = await start();
    const name = 'a'.repeat(5_000);
    await kit.warren.enqueue(greet, { name });
    await kit.warren.enqueue(greet, { name: 'Bob' }, { delayMs: 60_000 });
    await kit.warren.enqueue(greetAll, { names: [] });
    expect(await kit.enqueued(greet)).toMatchObject([
      { state: 'available', args: { name } },
      { state: 'scheduled', args: { name: 'Bob' } },
    ]);
  });

  test('is asserted in part', async () => {
    await using kit = await start();
    const runAt = new Date('2031-01-31T12:00:00.000Z');
    await kit.warren.enqueue(
      greet,
      { name: 'Ada', tags: ['a', 'b'], at: { hour: 7 } },
      { runAt, uniqueKey: 'ada' },
    );
    const job = await kit.assertEnqueued(greet, { args: { name: 'Ada', at: {} }, uniqueKey: 'ada', runAt });
    expect(job).toMatchObject({ queue: 'mail', state: 'scheduled' });
    await kit.assertEnqueued(greet);
    await kit.assertEnqueued(greet, { args: { tags: ['a', 'b'] } });
    for (const args of [{ name: 'Bob' }, { tags: ['a'] }, { at: { hour: 8 } }, { more: 1 }, { at: [] }])
      await expect(kit.assertEnqueued(greet, { args })).rejects.toThrow(AssertionError);
  });

  test('is shown where the assertion fails', async () => {
    await using kit = await start();
    await kit.warren.enqueue(greet, { name: 'Ada' });
    const failed = kit.assertEnqueued(greet, { args: { name: 'Bob' } });
    await expect(failed).rejects.toThrow(/no job "greet" is .*'Bob'.*; there is 1\n.*'available'.*'Ada'/s);
    await expect(kit.assertEnqueued(greetAll)).rejects.toThrow('no job "greet-all" is {}; there are 0');
  });
});

describe('a drain', () => {
  test('runs what is due, and what that enqueues, and says what became of it', async () => {
    await using kit = await start();
    sent.length = 0;
    await kit.warren.enqueue(greetAll, { names: ['Ada', 'nobody', 'Bob', 'gone'] });
    await kit.warren.enqueue(greet, { name: 'later' }, { delayMs: 60_000 });
    expect(await kit.drain()).toEqual({ completed: 3, retryable: 1, cancelled: 1 });
    expect(sent).toEqual(['Ada', 'Bob']);
    expect((await kit.enqueued(greet)).map(({ state }) => state)).toContain('scheduled');
    expect(await kit.drain()).toEqual({});
  });

  test('leaves no session behind', async () => {
    await using kit = await start();
    await kit.warren.enqueue(greet, { name: 'Ada' });
    await kit.drain();
    const sql = postgres(kit.databaseUrl, { max: 1 });
    const locks = async () =>
      await sql`select from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`;
    await eventually(locks, ({ length }) => length === 0); // Postgres ends a session a little later than its client
    await sql.end();
  });
});
