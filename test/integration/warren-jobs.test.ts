// What an application does with its own `Warren` beside the simplest enqueue: options, lists, waiting, cancelling, its own HTTP server.
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { Hono } from 'hono';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { WarrenEnqueueOptions } from '../../src/index.ts';
import { defineApp, defineJob, InvalidInput, NotFound, Unavailable, Warren } from '../../src/index.ts';
import { HANG_MS } from '../support/eventually.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

const greet = defineJob({
  type: 'greet',
  queue: 'mail',
  args: z.object({ name: z.string() }),
  perform: async ({ name }) => ({ greeted: name }),
});
const stay = defineJob({
  type: 'stay',
  queue: 'mail',
  args: z.object({}),
  perform: async (_args, { signal }) => {
    if (!signal.aborted) await once(signal, 'abort');
    signal.throwIfAborted();
  },
});
const app = defineApp({ name: 'crm', queues: { mail: {}, later: {} }, jobs: [greet, stay] });
const inAnHour = { delayMs: 3_600_000 };

let database: TestDatabase;
let warren: Warren;

beforeAll(async () => {
  database = await createDatabase();
  warren = new Warren({ app, databaseUrl: database.url, amqpUrl: 'none' });
  await warren.start();
});

afterAll(async () => {
  await warren.stop();
  await database[Symbol.asyncDispose]();
});

describe('changes of a job', () => {
  test('are its priority and its attempts', async () => {
    const { job } = await warren.enqueue(greet, { name: 'Ada' }, inAnHour);
    const changed = await warren.jobs.edit(job.id, { priority: 9, maxAttempts: 3 });
    expect(changed).toMatchObject({ id: job.id, priority: 9, maxAttempts: 3 });
  });

  test.each<[string, object]>([
    ['priority', { priority: 10 }],
    ['maxAttempts', { maxAttempts: 0 }],
    ['prioritie', { prioritie: 9 }],
  ])('are refused where %s is wrong or not known', async (member, changes) => {
    const { job } = await warren.enqueue(greet, { name: 'Ada' }, inAnHour);
    const refused = await warren.jobs.edit(job.id, changes).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(InvalidInput);
    expect(refused).toMatchObject({ issues: [{ pointer: `/changes/${member}` }] });
  });
});

describe('the options of a job', () => {
  const at = new Date('2031-01-31T12:00:00.000Z');

  test.each<[string, Date | string]>([
    ['a date', at],
    ['RFC 3339 with an offset', '2031-01-31T13:00:00+01:00'],
  ])('say when it is to run, by %s', async (_, runAt) => {
    const { job } = await warren.enqueue(greet, { name: 'Ada' }, { runAt, queue: 'later', maxAttempts: 2 });
    expect(await warren.jobs.find(job.id)).toMatchObject({
      state: 'scheduled',
      runAt: at,
      queue: 'later',
      maxAttempts: 2,
    });
  });

  test('make a job the only live one with its key', async () => {
    const options = { ...inAnHour, uniqueKey: 'ada' };
    const first = await warren.enqueue(greet, { name: 'Ada' }, options);
    expect(first.created).toBe(true);
    const second = await warren.enqueue(greet, { name: 'Ada' }, options);
    expect(second).toMatchObject({ created: false, job: { id: first.job.id } });
  });

  test.each<[string, object, string]>([
    ['a time that is none', { runAt: 'tomorrow' }, '/options/runAt'],
    ['an invalid date', { runAt: new Date('never') }, '/options/runAt'],
    ['a negative delay', { delayMs: -1 }, '/options/delayMs'],
    ['two times', { delayMs: 1, runAt: at }, '/options/delayMs'],
    ['no attempts', { maxAttempts: 0 }, '/options/maxAttempts'],
    ['an empty key', { uniqueKey: '' }, '/options/uniqueKey'],
    ['an option that is not known', { prioritie: 3 }, '/options/prioritie'],
    ['another one', { colour: 'red' }, '/options/colour'],
  ])('are refused before anything is written: %s', async (_, options, pointer) => {
    const refused = warren.enqueue(greet, { name: 'Ada' }, options as WarrenEnqueueOptions);
    await expect(refused).rejects.toMatchObject({ code: 'invalid_options', issues: [{ pointer }] });
    const many = warren.enqueueMany([{ job: greet, args: { name: 'Ada' }, options }]);
    await expect(many).rejects.toMatchObject({ issues: [{ pointer: `/jobs/0${pointer}` }] });
  });

  test('are no idempotency key within a transaction: it would outlive a rollback', async () => {
    const transaction = { query: async () => ({ rows: [] }) };
    const refused = warren.enqueue(greet, { name: 'Ada' }, { transaction, idempotencyKey: 'a' });
    await expect(refused).rejects.toThrow(InvalidInput);
  });
});

test('many jobs of several types are enqueued at once, each checked against its own', async () => {
  const ids = await warren.enqueueMany([
    { job: greet, args: { name: 'Bob' }, options: inAnHour },
    { job: stay, args: {}, options: inAnHour },
  ]);
  const types = await Promise.all(ids.map(async (id) => (await warren.jobs.find(id))?.type));
  expect(types).toEqual(['greet', 'stay']);
});

test('jobs are listed newest first, in pages', async () => {
  const args = { name: 'Carl' };
  const ids = await warren.enqueueMany(
    [1, 2, 3].map(() => ({ job: greet, args, options: { ...inAnHour, queue: 'later' } })),
  );
  const first = await warren.jobs.list({ type: 'greet', limit: 2 });
  expect(first.jobs.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
  const second = await warren.jobs.list({ type: 'greet', limit: 1, cursor: first.nextCursor ?? '' });
  expect(second.jobs.map(({ id }) => id)).toEqual([ids[0]]);
});

test('what there is not is not found', async () => {
  expect(await warren.jobs.find('999999999')).toBeUndefined();
  expect(await warren.jobs.find('no id')).toBeUndefined();
  await expect(warren.jobs.cancel('999999999')).rejects.toThrow(NotFound);
  await expect(warren.jobs.wait('999999999')).rejects.toThrow(NotFound);
});

describe('waiting for a job', () => {
  test('resolves with the job as it has ended, cancelled and retried ones too', async () => {
    await using own = await startOwn();
    await using _worker = await own.startWorker({ queues: { mail: { channels: 1, prefetch: 5 } } });
    const { job } = await own.enqueue(greet, { name: 'Ada' });
    expect(await own.jobs.wait(job.id, { timeoutMs: HANG_MS })).toMatchObject({
      state: 'completed',
      output: { greeted: 'Ada' },
    });
    const { job: staying } = await own.enqueue(stay, {});
    const ended = own.jobs.wait(staying.id, { timeoutMs: HANG_MS });
    await own.jobs.cancel(staying.id);
    expect(await ended).toMatchObject({ state: 'cancelled' });
    expect(await own.jobs.retry(staying.id)).toMatchObject({ finishedAt: null });
    await own.jobs.cancel(staying.id);
  });

  test('ends at its deadline, at its signal and when Warren stops', async () => {
    const own = await startOwn();
    const { job } = await own.enqueue(greet, { name: 'Ada' }, inAnHour);
    await expect(own.jobs.wait(job.id, { timeoutMs: 30 })).rejects.toMatchObject({ code: 'not_ended' });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(own.jobs.wait(job.id, { signal })).rejects.toThrow('enough');
    const waiting = expect(own.jobs.wait(job.id)).rejects.toThrow(Unavailable);
    await own.stop();
    await waiting;
  });
});

test('a worker takes only queues that the application has', async () => {
  await expect(warren.startWorker({ queues: { nowhere: {} } })).rejects.toThrow('no queue "nowhere"');
});

describe('the API in the server of the application', () => {
  const from = (remoteAddress: string) => ({ incoming: { socket: { remoteAddress } } });

  test('enqueues and shows jobs where it is mounted', async () => {
    const host = new Hono();
    host.mount('/warren', warren.http({ apiToken: 'secret' }).fetch);
    const headers = { authorization: 'Bearer secret', 'content-type': 'application/json' };
    const body = JSON.stringify({ type: 'greet', args: { name: 'Ada' }, delayMs: 3_600_000 });
    const answer = await host.request('/warren/v1/jobs', { method: 'POST', headers, body });
    expect(answer.status).toBe(202);
    const { job } = (await answer.json()) as { job: { id: string } };
    const shown = await host.request(`/warren/v1/jobs/${job.id}`, { headers });
    expect(await shown.json()).toMatchObject({ job: { type: 'greet', queue: 'mail' } });
    expect((await host.request(`/warren/v1/jobs/${job.id}`)).status).toBe(401);
  });

  test('knows tokens by their digests, and their roles', async () => {
    const sha256 = hash('sha256', 'reader', 'hex');
    const http = warren.http({ tokens: [{ name: 'reader', role: 'viewer', sha256 }] });
    const headers = { authorization: 'Bearer reader' };
    expect((await http.request('/v1/jobs', { headers })).status).toBe(200);
    expect((await http.request('/v1/queues/mail/pause', { method: 'POST', headers })).status).toBe(403);
  });

  test('answers only this machine where there is no token', async () => {
    const http = warren.http();
    const status = async (address: string | undefined, headers = {}) => {
      const env = address === undefined ? undefined : from(address);
      return (await http.request('http://localhost/v1/jobs', { headers }, env)).status;
    };
    expect(await status('127.0.0.1')).toBe(200);
    expect(await status('::ffff:127.0.0.1')).toBe(200);
    expect(await status('10.0.0.7')).toBe(403);
    expect(await status(undefined)).toBe(403);
    expect(await status('127.0.0.1', { 'x-forwarded-for': '10.0.0.7' })).toBe(403);
    expect(await status('127.0.0.1', { host: 'evil.example' })).toBe(403);
    expect((await warren.http({ isOpen: true }).request('/v1/jobs')).status).toBe(200);
  });

  test('answers 503 until Warren has started', async () => {
    const own = new Warren({ app, databaseUrl: database.url, amqpUrl: 'none' });
    const http = own.http({ apiToken: 'secret' });
    const headers = { authorization: 'Bearer secret' };
    expect((await http.request('/v1/jobs', { headers })).status).toBe(503);
    await own.start();
    expect((await http.request('/v1/jobs', { headers })).status).toBe(200);
    await own.stop();
  });
});

async function startOwn(): Promise<Warren> {
  const own = new Warren({ app, databaseUrl: database.url, amqpUrl: 'none' });
  await own.start();
  return own;
}
