// A name of a job type means one type for all applications on a database.
import postgres from 'postgres';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { runCommand } from '../../dev/command.ts';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import { deliverWebhook } from '../../src/jobs/deliver-webhook.ts';
import { listen } from '../support/events.ts';
import { eventually, HANG_MS } from '../support/eventually.ts';
import type { TestDatabase } from '../support/servers.ts';
import { asRole, createDatabase } from '../support/servers.ts';

interface Options {
  maxAttempts?: number;
  shared?: boolean;
  settings?: Record<string, string>;
}

async function database(): Promise<TestDatabase> {
  const made = await createDatabase();
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

/** An application that has `greet`, with five attempts if nothing else is said. */
function application({ url }: TestDatabase, name: string, { settings = {}, ...options }: Options = {}) {
  const greet = defineJob({
    type: 'greet',
    queue: 'default',
    args: z.object({}),
    maxAttempts: 5,
    ...options,
    perform: async () => name,
  });
  const app = defineApp({ name, queues: { default: {} }, jobs: [greet] });
  const warren = new Warren({ app, databaseUrl: url, amqpUrl: 'none', settings });
  onTestFinished(() => warren.stop());
  return { warren, greet, differs: listen(warren.events, 'type.differs') };
}

/** Resolves when the workers of these applications count as living. */
async function untilLiving({ url }: TestDatabase, ...apps: string[]): Promise<void> {
  const sql = postgres(url, { max: 1 });
  try {
    await eventually(
      () => sql<{ app: string }[]>`select distinct app from warren.workers`,
      (rows) => apps.every((name) => rows.some(({ app }) => app === name)),
    );
  } finally {
    await sql.end();
  }
}

/** What the database knows of `greet`. */
async function known({ url }: TestDatabase) {
  const sql = postgres(url, { max: 1 });
  try {
    const [row] = await sql<{ app: string; attempts: number; kept: unknown }[]>`
      select app, max_attempts as attempts, kept from warren.job_types where name = 'greet'`;
    return row;
  } finally {
    await sql.end();
  }
}

test('two applications with the same definition share it', async () => {
  const shared = await database();
  const [crm, billing] = [application(shared, 'crm'), application(shared, 'billing')];
  await crm.warren.startWorker();
  await billing.warren.start();
  await billing.warren.startWorker();
  const { job } = await billing.warren.enqueue(billing.greet, {});
  expect(await billing.warren.jobs.wait(job.id)).toMatchObject({ state: 'completed' });
  expect(await known(shared)).toMatchObject({ app: 'crm', attempts: 5 });
  expect([...crm.differs.all, ...billing.differs.all]).toEqual([]);
});

test('a program does not start where the living workers of another application run the type with another definition', async () => {
  const shared = await database();
  const [crm, billing] = [application(shared, 'crm'), application(shared, 'billing', { maxAttempts: 9 })];
  const worker = await crm.warren.startWorker();
  await untilLiving(shared, 'crm');
  const why =
    'job type "greet" means something else in application "crm", whose workers run: queue "default", 5 attempts there, ' +
    'queue "default", 9 attempts here';
  await expect(billing.warren.start()).rejects.toThrow(why);
  await expect(billing.warren.startWorker()).rejects.toMatchObject({ name: 'Misconfigured' });
  expect(await known(shared)).toMatchObject({ app: 'crm', attempts: 5 });

  await worker.stop();
  const again = application(shared, 'billing', { maxAttempts: 9 });
  await again.warren.start();
  expect(again.differs.all).toEqual([
    { type: 'greet', app: 'crm', here: 'queue "default", 9 attempts', there: 'queue "default", 5 attempts' },
  ]);
  expect(await known(shared)).toMatchObject({ app: 'billing', attempts: 9 });
});

test.each(['api', 'worker'])('the program %s ends with one line that says why', async (program) => {
  const shared = await database();
  const sql = postgres(shared.url, { max: 1 });
  await sql`insert into warren.job_types (name, app, queue, max_attempts) values ('process-order', 'crm', 'orders', 3)`;
  await sql`
    insert into warren.workers (owner, name, app, queues, types, beat_at)
    values (4711, 'worker', 'crm', '{orders}', '{process-order}', now() + interval '1 hour')`;
  await sql.end();
  const { status, stdout } = await runCommand(process.execPath, [`src/${program}/main.ts`], {
    env: {
      PATH: '/usr/bin:/bin',
      DATABASE_URL: asRole(shared.url, program as 'api' | 'worker'),
      AMQP_URL: 'none',
      PORT: '0',
      WORKER_HEALTH_PORT: '0',
    },
    timeoutMs: HANG_MS,
  });
  const why =
    /job type \\"process-order\\" means something else in application \\"crm\\".* queue \\"orders\\", 3 attempts there/;
  expect({ status, lines: stdout.split('\n').filter((line) => why.test(line)).length }).toEqual({
    status: 1,
    lines: 1,
  });
});

test('an application changes its own definition while its former version runs, and its former version may start again', async () => {
  const shared = await database();
  const former = application(shared, 'crm');
  await former.warren.startWorker();
  await untilLiving(shared, 'crm');
  const next = application(shared, 'crm', { maxAttempts: 9 });
  await next.warren.startWorker();
  expect(await known(shared)).toMatchObject({ app: 'crm', attempts: 9 });
  await former.warren.startWorker();
  expect([...former.differs.all, ...next.differs.all]).toEqual([]);
});

test('the application that told of a type first does not change it either while living workers of another application run it', async () => {
  const shared = await database();
  const crm = application(shared, 'crm');
  await crm.warren.startWorker();
  const worker = await application(shared, 'billing').warren.startWorker();
  await untilLiving(shared, 'crm', 'billing');
  const next = application(shared, 'crm', { maxAttempts: 9 });
  await expect(next.warren.start()).rejects.toThrow(
    'job type "greet" means something else in application "billing", whose workers run: queue "default", 5 attempts there, ' +
      'queue "default", 9 attempts here',
  );
  await application(shared, 'billing').warren.start(); // goes on as before
  expect(await known(shared)).toMatchObject({ app: 'crm', attempts: 5 });

  await worker.stop();
  await next.warren.start();
  expect(await known(shared)).toMatchObject({ app: 'crm', attempts: 9 });
});

test('a type that is marked as shared is changed by the application that told of it first, whoever runs it', async () => {
  const shared = await database();
  const crm = application(shared, 'crm', { shared: true });
  await crm.warren.startWorker();
  await application(shared, 'billing', { shared: true }).warren.startWorker();
  await untilLiving(shared, 'crm', 'billing');
  const next = application(shared, 'crm', { maxAttempts: 9, shared: true });
  await next.warren.start();
  expect(next.differs.all).toEqual([]);
  expect(await known(shared)).toMatchObject({ app: 'crm', attempts: 9 });
});

test('a type that is marked as shared may differ: it is told of, and stays as its owner has it', async () => {
  const shared = await database();
  const crm = application(shared, 'crm');
  await crm.warren.startWorker();
  await untilLiving(shared, 'crm');
  const billing = application(shared, 'billing', { maxAttempts: 9, shared: true });
  await billing.warren.startWorker();
  expect(billing.differs.all).toMatchObject([{ type: 'greet', app: 'crm' }]);
  expect(await known(shared)).toMatchObject({ app: 'crm', attempts: 5 });
  expect(deliverWebhook.shared).toBe(true);
});

test('workers tell how long their settings keep things, each for its application', async () => {
  const shared = await database();
  const crm = application(shared, 'crm', {
    settings: { RETENTION_COMPLETED_DAYS: '90', IDEMPOTENCY_KEY_HOURS: '48' },
  });
  const billing = application(shared, 'billing', { settings: { RETENTION_COMPLETED_DAYS: '0' } });
  await crm.warren.startWorker();
  await billing.warren.startWorker();
  await billing.warren.start(); // as an API, which has no such settings: nothing is forgotten
  const month = 30 * 86_400_000;
  expect((await known(shared))?.kept).toEqual({
    crm: {
      completed: 3 * month,
      cancelled: month,
      discarded: month,
      idempotencyKey: 2 * 86_400_000,
      archives: false,
    },
    billing: {
      completed: null,
      cancelled: month,
      discarded: month,
      idempotencyKey: 86_400_000,
      archives: false,
    },
  });
});
