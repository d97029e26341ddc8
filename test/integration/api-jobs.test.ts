import { once } from 'node:events';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { processOrder } from '../../examples/shop/process-order.ts';
import { defineJob } from '../../src/jobs/define.ts';
import { startApi } from '../support/api.ts';
import { readyCount } from '../support/broker.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet } from '../support/fleet.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

async function startApiOnServers() {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  const vhost = stack.use(await createVhost());
  const api = stack.use(await startApi({ databaseUrl: database.url, amqpUrl: vhost.url }));
  const sql = stack.adopt(postgres(database.url, { max: 1, onnotice: () => {} }), (client) => client.end());
  return { api, vhost, sql, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const order = (orderId = '17') => ({ type: 'process-order', args: { orderId } });

test('an enqueued job is committed, and shown as the contract has it', async () => {
  await using servers = await startApiOnServers();
  const { api } = servers;
  const answer = await api.post('/v1/jobs', { ...order(), maxAttempts: 3, queue: 'critical' });
  expect(answer.status).toBe(202);
  const { job } = answer.body;
  expect(answer.headers.get('location')).toBe(`/v1/jobs/${job.id}`);
  expect(job).toEqual({
    id: expect.stringMatching(/^[1-9]\d*$/),
    type: 'process-order',
    queue: 'critical',
    state: 'available',
    args: { orderId: '17' },
    attempt: 0,
    maxAttempts: 3,
    runAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    createdAt: expect.stringMatching(/Z$/),
    startedAt: null,
    finishedAt: null,
    uniqueKey: null,
    priority: 0,
    group: null,
    orderingKey: null,
    tags: [],
    limits: [],
    expiresAt: null,
    batch: null,
    output: null,
    errors: [],
  });
  expect((await api.get(`/v1/jobs/${job.id}`)).body).toEqual({ job });
  expect((await api.get('/v1/jobs/999999')).status).toBe(404);
});

test('a job for later is scheduled', async () => {
  await using servers = await startApiOnServers();
  const { api } = servers;
  const at = await api.post('/v1/jobs', { ...order(), runAt: '2499-01-01T00:00:00+23:59' });
  expect(at.body.job).toMatchObject({ state: 'scheduled', runAt: '2498-12-31T00:01:00.000Z' });
  const after = await api.post('/v1/jobs', { ...order(), delayMs: 315_360_000_000 });
  expect(after).toMatchObject({ status: 202, body: { job: { state: 'scheduled' } } });
  const past = await api.post('/v1/jobs', { ...order(), runAt: '1970-01-01T00:00:00Z' });
  expect(past.body.job.state).toBe('available');
});

test('a unique key held by a live job answers 200 with that job, to many at once too', async () => {
  await using servers = await startApiOnServers();
  const { api } = servers;
  const request = { ...order(), uniqueKey: 'order 17' };
  const answers = await Promise.all(Array.from({ length: 20 }, () => api.post('/v1/jobs', request)));
  expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
  expect(answers.filter(({ status }) => status === 200)).toHaveLength(19);
  expect(new Set(answers.map(({ body }) => body.job.id)).size).toBe(1);
});

test('an Idempotency-Key does a request once, and refuses another request', async () => {
  await using servers = await startApiOnServers();
  const { api, sql } = servers;
  const key = { 'Idempotency-Key': 'checkout 4711' };
  const first = await api.post('/v1/jobs', order(), key);
  const again = await api.post('/v1/jobs', order(), key);
  expect([first.status, again.status]).toEqual([202, 202]);
  expect(again.body.job.id).toBe(first.body.job.id);
  const other = await api.post('/v1/jobs', order('18'), key);
  expect(other).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  const batch = { 'Idempotency-Key': 'batch' };
  const one = await api.post('/v1/jobs/batch', { jobs: [order(), order()] }, batch);
  const two = await api.post('/v1/jobs/batch', { jobs: [order(), order()] }, batch);
  expect(two.body).toEqual(one.body);
  expect(await sql`select count(*)::int as count from warren.jobs`).toMatchObject([{ count: 3 }]);
});

test('a batch is enqueued as a whole or not at all', async () => {
  await using servers = await startApiOnServers();
  const { api, sql } = servers;
  const jobs = Array.from({ length: 10_000 }, (_, n) => order(String(n + 1)));
  const refused = await api.post('/v1/jobs/batch', { jobs: [...jobs.slice(0, 999), order('x')] });
  expect(refused).toMatchObject({ status: 422, body: { errors: [{ pointer: '/jobs/999/args/orderId' }] } });
  const { status, body } = await api.post('/v1/jobs/batch', { jobs });
  expect(status).toBe(202);
  expect(body.ids).toHaveLength(10_000);
  const rows = await sql`select args->>'orderId' as "orderId" from warren.jobs where id = ${body.ids[4_710]}`;
  expect(rows).toMatchObject([{ orderId: '4711' }]);
  expect(await sql`select count(*)::int as count from warren.jobs`).toMatchObject([{ count: 10_000 }]);
});

test('the list walks all jobs, newest first, a page at a time, through every filter', async () => {
  await using servers = await startApiOnServers();
  const { api } = servers;
  const jobs = Array.from({ length: 25 }, (_, n) => ({
    ...order(),
    ...(n % 5 === 0 && { queue: 'critical' }),
  }));
  const { ids } = (await api.post('/v1/jobs/batch', { jobs })).body;
  const seen: string[] = [];
  let cursor: string | null = '';
  let pages = 0;
  while (cursor !== null) {
    const { body } = await api.get(`/v1/jobs?limit=10${cursor === '' ? '' : `&cursor=${cursor}`}`);
    seen.push(...body.jobs.map(({ id }: { id: string }) => id));
    cursor = body.nextCursor;
    pages += 1;
  }
  expect(seen).toEqual([...ids].reverse());
  expect(pages).toBe(3);
  const critical = await api.get('/v1/jobs?queue=critical&state=available&type=process-order&limit=5');
  expect(critical.body.jobs).toHaveLength(5);
  expect(critical.body.nextCursor).toBeNull();
  const none = await api.get("/v1/jobs?type=' or true; drop table warren.jobs --");
  expect(none.body).toEqual({ jobs: [], nextCursor: null });
});

test('a waiting job is cancelled once, and can be retried', async () => {
  await using servers = await startApiOnServers();
  const { api, vhost } = servers;
  const { job } = (await api.post('/v1/jobs', { ...order(), delayMs: 60_000 })).body;
  const retriedTooEarly = await api.post(`/v1/jobs/${job.id}/retry`);
  expect(retriedTooEarly).toMatchObject({ status: 409, body: { code: 'state_forbids' } });
  const cancelled = await api.post(`/v1/jobs/${job.id}/cancel`);
  expect(cancelled).toMatchObject({ status: 200, body: { job: { state: 'cancelled' } } });
  expect((await api.post(`/v1/jobs/${job.id}/cancel`)).status).toBe(409);
  const retried = await api.post(`/v1/jobs/${job.id}/retry`);
  expect(retried).toMatchObject({ status: 200, body: { job: { state: 'available', finishedAt: null } } });
  await eventually(
    () => readyCount(vhost, 'warren.default'),
    (ready) => ready === 1,
  );
  expect((await api.post('/v1/jobs/999999/cancel')).status).toBe(404);
  expect((await api.post('/v1/jobs/999999/retry')).status).toBe(404);
});

test('a retry is refused while another live job holds its unique key', async () => {
  await using servers = await startApiOnServers();
  const { api } = servers;
  const request = { ...order(), uniqueKey: 'k' };
  const first = (await api.post('/v1/jobs', request)).body.job.id;
  await api.post(`/v1/jobs/${first}/cancel`);
  await api.post('/v1/jobs', request);
  const answer = await api.post(`/v1/jobs/${first}/retry`);
  expect(answer).toMatchObject({ status: 409, body: { code: 'unique_key_held' } });
});

test('a cancel of a running job answers when the worker has let go, and after a second where it does not', async () => {
  const started = new Set<string>();
  const released = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    defineJob({
      ...processOrder,
      async perform({ orderId }, { jobId, signal }) {
        started.add(jobId);
        if (orderId === '2') await released.promise;
        else await once(signal, 'abort');
        signal.throwIfAborted();
      },
      // biome-ignore lint/suspicious/noExplicitAny: the fleet's types are about its own test job
    }) as any,
  );
  await using api = await startApi({ databaseUrl: fleet.testDatabase.url, amqpUrl: fleet.vhost.url });
  await fleet.startWorker();
  const cancelRunning = async (orderId: string): Promise<string> => {
    const { job } = (await api.post('/v1/jobs', order(orderId))).body;
    await eventually(
      () => started.has(job.id),
      (isStarted) => isStarted,
    );
    const answer = await api.post(`/v1/jobs/${job.id}/cancel`);
    expect(answer.status).toBe(200);
    return answer.body.job.state;
  };
  // A machine that is busy may need more than the second; an API that did not wait would answer `running` each time.
  await eventually(
    () => cancelRunning('1'),
    (state) => state === 'cancelled',
  );
  // Deaf to its signal until this is over: whether it was given up in time is the worker's matter.
  expect(['cancelled', 'running']).toContain(await cancelRunning('2'));
  released.resolve();
});

test('the priority of a job is changed while it waits, and not after it has ended', async () => {
  await using servers = await startApiOnServers();
  const { api } = servers;
  const { job } = (await api.post('/v1/jobs', order())).body;
  const path = `/v1/jobs/${job.id}`;
  const answer = await api.patch(path, { priority: 7, maxAttempts: 9 });
  expect(answer).toMatchObject({ status: 200, body: { job: { id: job.id, priority: 7, maxAttempts: 9 } } });
  expect((await api.patch(path, { priority: 10 })).status).toBe(422);
  expect((await api.patch('/v1/jobs/4711', { priority: 1 })).status).toBe(404);
  await api.post(`${path}/cancel`);
  expect(await api.patch(path, { priority: 1 })).toMatchObject({
    status: 409,
    body: { code: 'state_forbids' },
  });
  expect((await api.get(path)).body.job).toMatchObject({ priority: 7 });
});
