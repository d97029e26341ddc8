// Who is there, what each runs, and that one ends when somebody asks for it: with the real program, whose job is under way.
import type { ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname } from 'node:os';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { defineApp, Warren } from '../../src/index.ts';
import { version } from '../../src/shared/base/version.ts';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import { startProgram } from '../support/program.ts';
import { asRole, asUser, createDatabase, createVhost } from '../support/servers.ts';

test('a worker is listed with what it runs; drained, it finishes that, takes nothing more, exits with 0 and is gone', async () => {
  await using stack = new AsyncDisposableStack();
  const [database, vhost] = await Promise.all([createDatabase(), createVhost()]);
  stack.use(database);
  stack.use(vhost);
  const calls: ServerResponse[] = [];
  const receiver = createServer((_, response) => void calls.push(response)).listen(0, '127.0.0.1');
  stack.defer(() => void receiver.close());
  const api = stack.use(await startApi({ databaseUrl: database.url, amqpUrl: vhost.url }));
  const worker = stack.use(
    await startProgram('worker', {
      DATABASE_URL: asRole(database.url, 'worker'),
      AMQP_URL: asUser(vhost.url, 'worker'),
      WORKER_QUEUES: 'webhooks:1:2',
      WORKER_HEALTH_PORT: '0',
      WEBHOOK_ALLOW_PRIVATE: 'true',
    }),
  );
  const workers = async () => (await api.get('/v1/workers')).body.workers;
  const [{ id }] = await eventually(workers, (all) => all[0]?.isLeader === true);
  const deliver = async () => {
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    return (await api.post('/v1/jobs', { type: 'deliver-webhook', args: { url } })).body.job.id;
  };
  const first = await deliver();
  await eventually(
    () => calls.length,
    (count) => count === 1,
  );
  const [shown] = await eventually(workers, ([one]) => one.version !== null && one.running === 1);
  expect(shown).toEqual({
    id,
    name: `warren-worker@${hostname()}:${worker.pid}`,
    host: hostname(),
    app: 'shop',
    version,
    state: 'working',
    isLeader: true,
    lane: 'rabbitmq',
    slots: { webhooks: 2 },
    running: 1,
    jobs: [
      { id: first, type: 'deliver-webhook', queue: 'webhooks', attempt: 1, startedAt: expect.any(String) },
    ],
    startedAt: expect.any(String),
    beatAt: expect.any(String),
    loopDelayMs: expect.any(Number),
    memoryBytes: expect.any(Number),
  });
  expect(shown.memoryBytes).toBeGreaterThan(10_000_000);

  const drained = await api.post(`/v1/workers/${id}/drain`);
  expect(drained).toMatchObject({ status: 200, body: { id, state: 'draining' } });
  expect((await workers())[0]).toMatchObject({ state: 'draining', running: 1 });
  await worker.waitForLog('stopping');
  const second = await deliver();
  expect((await api.get(`/v1/jobs/${second}/explain`)).body).toMatchObject({
    reason: 'no-worker',
    detail: '1 worker is there, and none serves its queue "webhooks"; 1 that does drains.',
  });
  expect(calls).toHaveLength(1);
  calls[0]?.end();
  expect(await worker.exited).toEqual({ code: 0, signal: null });
  expect((await api.get(`/v1/jobs/${first}`)).body.job).toMatchObject({ state: 'completed', attempt: 1 });
  expect(await workers()).toEqual([]);
  expect((await api.post(`/v1/workers/${id}/drain`)).status).toBe(404);
  expect((await api.post('/v1/workers/nobody/drain')).status).toBe(404);
});

test('a worker hears of a drain with its next beat where the notice is lost', async () => {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  const worker = stack.use(
    await startProgram('worker', {
      DATABASE_URL: asRole(database.url, 'worker'),
      AMQP_URL: 'none',
      WORKER_HEALTH_PORT: '0',
    }),
  );
  const api = stack.use(await startApi({ databaseUrl: database.url }));
  await eventually(
    async () => (await api.get('/v1/workers')).body.workers,
    ([one]) => one?.lane === 'postgres',
  );
  const sql = postgres(database.url, { max: 1 });
  stack.defer(() => sql.end());
  await sql`update warren.workers set drain_requested_at = now()`; // and nobody is told
  expect(await worker.exited).toEqual({ code: 0, signal: null });
});

test('a worker that has started is listed at once', async () => {
  await using database = await createDatabase();
  await using proxy = await startFaultyProxy(database.url);
  const app = defineApp({ name: 'crm', queues: { default: {} }, jobs: [] });
  await using warren = new Warren({ app, databaseUrl: proxy.url, amqpUrl: 'none' });
  await warren.start();
  for (let count = 1; count <= 5; count += 1) {
    await warren.startWorker();
    expect(await warren.workers.list()).toHaveLength(count);
  }
});
