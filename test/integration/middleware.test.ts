// Middleware around every enqueue and every run of a handler, by whatever face a job comes.
import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import postgres from 'postgres';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import type { EnqueueMiddleware, JobContext, PerformMiddleware } from '../../src/index.ts';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import { testWarren } from '../../src/testing.ts';
import { eventually } from '../support/eventually.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

const tenants = new AsyncLocalStorage<string>();
const steps: string[] = [];

const note: EnqueueMiddleware = async ({ jobs }, next) => {
  steps.push(`enqueue ${jobs.map(({ definition }) => definition.type).join()}`);
  await next();
  steps.push('enqueued');
};
/** The schema of the arguments wants it, no caller gives it. */
const addTenant: EnqueueMiddleware = async ({ jobs }, next) => {
  for (const job of jobs) {
    job.args = { ...Object(job.args), tenant: tenants.getStore() ?? 'nobody' };
    job.tags = [...(job.tags ?? []), 'marked'];
    if (Object(job.args).name === 'refused') throw new Error('not this one');
    if (Object(job.args).name === 'swallowed') return;
  }
  await next();
};
const time: PerformMiddleware = async ({ definition, context }, next) => {
  steps.push(`perform ${definition.type} ${context.attempt}`);
  const output = await next();
  steps.push('performed');
  return { ...Object(output), timed: true };
};
const withTenant: PerformMiddleware<{ tenant: string }> = async ({ args }, next) => {
  const { tenant, name } = args as { tenant: string; name: string };
  if (name === 'fails') throw new Error('no tenant today');
  return await tenants.run(tenant, () => next({ tenant }));
};

const greet = defineJob({
  type: 'greet',
  args: z.object({ name: z.string(), tenant: z.string() }),
  maxAttempts: 1,
  perform: async ({ name }, { services }: JobContext<{ tenant: string; greeting: string }>) => ({
    text: `${services.greeting} ${name} of ${services.tenant}`,
    tenant: tenants.getStore(),
  }),
});
const app = defineApp({
  name: 'middle',
  queues: { default: {} },
  jobs: [greet],
  services: { greeting: 'Hello' },
  middleware: { enqueue: [note, addTenant], perform: [time, withTenant] },
});

// as one that comes from outside gives them
const given = (name: string) => ({ name }) as z.input<typeof greet.args> & { name: string; tenant: string };

let database: TestDatabase;
let warren: Warren;

beforeAll(async () => {
  database = await createDatabase();
  warren = new Warren({ app, databaseUrl: database.url, amqpUrl: 'none' });
  await warren.start();
  await warren.startWorker();
});
afterAll(async () => {
  await warren?.stop();
  await database?.[Symbol.asyncDispose]();
});
beforeEach(() => {
  steps.length = 0;
});

const http = (path: string, body: object) =>
  warren
    .http({
      tokens: [{ name: 'test', role: 'admin', sha256: createHash('sha256').update('t').digest('hex') }],
    })
    .request(`http://localhost${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer t' },
      body: JSON.stringify(body),
    });

test('it wraps enqueue and handler, changes arguments before they are checked, and adds to the services', async () => {
  const { job } = await tenants.run('acme', () => warren.enqueue(greet, given('Ada')));
  expect(job).toMatchObject({ args: { name: 'Ada', tenant: 'acme' }, tags: ['marked'] });
  const ended = await warren.jobs.wait(job.id);
  expect(ended).toMatchObject({
    state: 'completed',
    output: { text: 'Hello Ada of acme', tenant: 'acme', timed: true },
  });
  expect(steps.toSorted()).toEqual(['enqueue greet', 'enqueued', 'perform greet 1', 'performed']);
});

test('no face goes past it: a batch, a transaction, HTTP, a batch over HTTP, a schedule', async () => {
  const ids = await warren.enqueueMany([
    { job: greet, args: given('Bob') },
    { job: greet, args: given('Bea') },
  ]);
  const sql = postgres(database.url, { max: 1, onnotice: () => {} });
  const inTransaction = await sql.begin((transaction) =>
    warren.enqueue(greet, given('Eve'), { transaction }),
  );
  await sql.end();
  const one = await http('/v1/jobs', { type: 'greet', args: { name: 'Hal' } });
  expect(one.status).toBe(202);
  const batch = await http('/v1/jobs/batch', { jobs: [{ type: 'greet', args: { name: 'Ivo' } }] });
  expect(batch.status).toBe(202);
  expect(steps.filter((step) => step.startsWith('enqueue '))).toEqual([
    'enqueue greet,greet',
    ...Array(3).fill('enqueue greet'),
  ]);
  const all = [
    ...ids,
    inTransaction.job.id,
    ((await one.json()) as { job: { id: string } }).job.id,
    ...((await batch.json()) as { ids: string[] }).ids,
  ];
  for (const id of all)
    expect(await warren.jobs.wait(id)).toMatchObject({ state: 'completed', args: { tenant: 'nobody' } });
  await warren.schedules.set('soon', { at: new Date().toISOString(), type: 'greet', args: { name: 'Tick' } });
  await eventually(
    () => warren.jobs.list({ q: 'Tick', state: ['completed'] }),
    ({ jobs }) => jobs.length === 1,
  );
});

test('what it throws is the error of the enqueue, and of the attempt; one that goes nowhere enqueues nothing', async () => {
  await expect(warren.enqueue(greet, given('refused'))).rejects.toThrow('not this one');
  await expect(warren.enqueue(greet, given('swallowed'))).rejects.toThrow('nothing was enqueued');
  expect((await warren.jobs.list({ q: 'refused' })).jobs).toEqual([]);
  const { job } = await warren.enqueue(greet, given('fails'));
  expect(await warren.jobs.wait(job.id)).toMatchObject({
    state: 'discarded',
    errors: [{ message: 'Error: no tenant today' }],
  });
});

test('a test kit runs it, too', async () => {
  await using kit = await testWarren({ app, databaseUrl: database.url });
  expect(await kit.perform(greet, { name: 'Kit', tenant: 'acme' })).toMatchObject({
    output: { text: 'Hello Kit of acme', timed: true },
  });
});
