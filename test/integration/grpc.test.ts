// The gRPC face on real servers, through the wire: each method, what is refused, who may come, and what an outage is told as.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import { listOf } from '../api/access/tokens.ts';
import type { StartApiOptions } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { GrpcClient } from '../support/grpc.ts';
import { createDatabase } from '../support/servers.ts';

/** Without a broker: an answer never waits for it. */
async function startGrpc(options: StartApiOptions = {}) {
  const stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  const api = stack.use(
    await startApi({
      databaseUrl: database.url,
      ...options,
      environment: { GRPC_PORT: '0', ...options.environment },
    }),
  );
  const address = api.api.grpcAddress as string;
  const client = stack.use(new GrpcClient(address));
  return { api, address, client, database, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const order = (orderId = '17') => ({ type: 'process-order', args: JSON.stringify({ orderId }) });

test('an enqueued job is committed, and shown over gRPC as over HTTP', async () => {
  await using servers = await startGrpc();
  const { client, api } = servers;
  const runAt = { seconds: 4_102_444_800, nanos: 250_000_000 };
  const answer = await client.call('Enqueue', {
    job: {
      ...order(),
      queue: 'critical',
      runAt,
      maxAttempts: 3,
      unique: { key: 'order 17', for: 'UNIQUE_FOR_WAITING', onConflict: 'ON_CONFLICT_REPLACE' },
      priority: 7,
      group: 'tenant-7',
      orderingKey: 'account-1',
      tags: ['a', 'b'],
      expiresAt: { seconds: 4_102_448_400 },
    },
  });
  expect(answer).toMatchObject({ code: 'OK', body: { created: true } });
  const { job } = answer.body;
  const shown = await api.get(`/v1/jobs/${job.id}`);
  expect(shown.body.job).toMatchObject({
    type: 'process-order',
    queue: 'critical',
    state: 'scheduled',
    args: { orderId: '17' },
    maxAttempts: 3,
    runAt: '2100-01-01T00:00:00.250Z',
    uniqueKey: 'order 17',
    priority: 7,
    group: 'tenant-7',
    orderingKey: 'account-1',
    tags: ['a', 'b'],
    expiresAt: '2100-01-01T01:00:00.000Z',
  });
  expect(job).toMatchObject({
    state: 'JOB_STATE_SCHEDULED',
    args: '{"orderId":"17"}',
    runAt,
    uniqueKey: 'order 17',
    priority: 7,
    tags: ['a', 'b'],
  });
  expect((await client.call('Get', { id: job.id })).body.job).toEqual(job);
  expect(await client.call('Get', { id: '999999' })).toMatchObject({
    code: 'NOT_FOUND',
    reason: 'not_found',
  });

  const held = await client.call('Enqueue', {
    job: { ...order('18'), unique: { key: 'order 17', for: 'UNIQUE_FOR_WAITING' } },
  });
  expect(held).toMatchObject({
    code: 'OK',
    body: { created: false, conflict: 'CONFLICT_KEPT', job: { id: job.id } },
  });
  const key = { metadata: { 'idempotency-key': 'checkout 4711' } };
  const first = await client.call('Enqueue', { job: order() }, key);
  expect((await client.call('Enqueue', { job: order() }, key)).body.job.id).toBe(first.body.job.id);
  expect(await client.call('Enqueue', { job: order('99') }, key)).toMatchObject({
    code: 'INVALID_ARGUMENT',
    reason: 'idempotency_key_reused',
  });
  expect(await client.call('Cancel', { id: job.id })).toMatchObject({
    code: 'OK',
    body: { job: { state: 'JOB_STATE_CANCELLED' } },
  });
  expect(await client.call('Cancel', { id: job.id })).toMatchObject({
    code: 'FAILED_PRECONDITION',
    reason: 'state_forbids',
  });
});

test('what is wrong is told with pointers, and a full queue with the time to try again', async () => {
  await using servers = await startGrpc();
  const { client, api } = servers;
  const refused = async (job: object) => {
    const { code, reason, violations } = await client.call('Enqueue', { job });
    expect(code).toBe('INVALID_ARGUMENT');
    return [reason, ...violations.map(({ field }) => field)];
  };
  expect(await refused({ ...order(), type: 'nonsense' })).toEqual(['unknown_type', '/type']);
  expect(await refused({ ...order(), args: '{' })).toEqual(['invalid_body', '/args']);
  expect(await refused({ ...order(), args: '{"orderId":9007199254740993}' })).toEqual([
    'not_storable',
    '/args/orderId',
  ]);
  expect(await refused({ ...order(), args: '{"orderId":null}' })).toContain('/args/orderId');
  expect(await refused({ type: 'process-order' })).toContain('/args');
  expect(await refused({ ...order(), priority: 10, tags: [''] })).toEqual([
    'invalid_body',
    '/priority',
    '/tags/0',
  ]);
  expect(await refused({ ...order(), delayMs: 1, runAt: { seconds: 4_102_444_800 } })).toContain('/delayMs');
  expect(await refused({ ...order(), runAt: { seconds: 9e15 } })).toContain('/runAt');
  expect(await refused({ ...order(), queue: 'away' })).toEqual(['unknown_queue', '/queue']);
  expect(await client.call('Enqueue', {})).toMatchObject({ code: 'INVALID_ARGUMENT' });
  const long = { type: 'process-order', args: JSON.stringify({ ['x'.repeat(50_000)]: 1 }) };
  expect(await client.call('Enqueue', { job: long })).toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(
    await client.call('Enqueue', { job: order() }, { metadata: { 'idempotency-key': 'x'.repeat(201) } }),
  ).toMatchObject({ code: 'INVALID_ARGUMENT', reason: 'invalid_request' });

  await api.put('/v1/queues/default', { maxDepth: 1 });
  expect((await client.call('Enqueue', { job: order() })).code).toBe('OK');
  expect(await client.call('Enqueue', { job: order() })).toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    reason: 'queue_full',
    retryAfterSeconds: 1,
    metadata: { queue: 'default', maxDepth: '1' },
  });
});

test('many jobs are enqueued all or none, in their order, within bounds', async () => {
  await using servers = await startGrpc();
  const { client, api } = servers;
  const jobs = Array.from({ length: 10_000 }, (_, index) => order(String(index + 1)));
  const all = await client.call('EnqueueMany', { jobs });
  expect(all.code).toBe('OK');
  expect(new Set(all.body.ids).size).toBe(10_000);
  const last = await client.call('Get', { id: all.body.ids[9_999] });
  expect(last.body.job.args).toBe('{"orderId":"10000"}');

  const wrong = [order(), { ...order(), args: '{"orderId":true}' }, { ...order(), priority: -1 }];
  expect(await client.call('EnqueueMany', { jobs: wrong })).toMatchObject({
    code: 'INVALID_ARGUMENT',
    violations: [{ field: '/jobs/2/priority' }],
  });
  expect(await client.call('EnqueueMany', { jobs: wrong.slice(0, 2) })).toMatchObject({
    code: 'INVALID_ARGUMENT',
    reason: 'invalid_jobs',
    violations: [{ field: '/jobs/1/args/orderId' }],
  });
  expect(await client.call('EnqueueMany', { jobs: [...jobs, order()] })).toMatchObject({
    violations: [{ field: '/jobs', description: 'must have at most 10000 jobs' }],
  });
  expect(await client.call('EnqueueMany', {})).toMatchObject({ violations: [{ field: '/jobs' }] });
  const tooLong = { ...order(), args: JSON.stringify({ orderId: 'x'.repeat(9 * 1_048_576) }) };
  expect(await client.call('EnqueueMany', { jobs: [tooLong] })).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  const newest = await api.get('/v1/jobs?limit=1');
  expect(newest.body.jobs[0].id).toBe(all.body.ids[9_999]); // nothing of what was refused was enqueued
});

test('a watch tells nothing more when its token is gone, and ends though its job stands still', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'warren-grpc-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'tokens.json');
  const write = (...tokens: Parameters<typeof listOf>[0]) =>
    writeFileSync(file, JSON.stringify(listOf(tokens)));
  write(['reads', 'viewer'], ['works', 'operator']);
  const { client } = stack.use(await startGrpc({ environment: { TOKENS_FILE: file } }));
  const enqueue = async () =>
    (await client.call('Enqueue', { job: order() }, { token: 'works' })).body.job.id as string;
  const [changing, standing] = [await enqueue(), await enqueue()];
  const watch = (id: string, token: string) => client.stream('Watch', { id }, { token });
  const watches = [watch(changing, 'reads'), watch(standing, 'reads'), watch(changing, 'works')] as const;
  for (const each of watches) await each.until(() => true);

  write(['works', 'operator']);
  await eventually(
    () => client.call('Get', { id: changing }, { token: 'reads' }),
    ({ code }) => code === 'UNAUTHENTICATED',
  );
  await client.call('Cancel', { id: changing }, { token: 'works' });
  const [ofChanging, ofStanding, going] = await Promise.all(watches.map(({ ended }) => ended));
  expect(going?.code).toBe('OK');
  for (const end of [ofChanging, ofStanding])
    expect(end).toMatchObject({ code: 'UNAUTHENTICATED', reason: 'unauthorized' });
  expect(watches.map(({ messages }) => messages.length)).toEqual([1, 1, 2]);
});

test('each method asks for its role, before the request is read; health asks for none, and reflection for a reader', async () => {
  await using stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'warren-grpc-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'tokens.json');
  const tokens = listOf([
    ['counts', 'metrics'],
    ['reads', 'viewer'],
    ['works', 'operator'],
  ]);
  writeFileSync(file, JSON.stringify(tokens));
  const events = new Events();
  using acted = listen(events, 'access.acted');
  const { client, address } = stack.use(await startGrpc({ events, environment: { TOKENS_FILE: file } }));

  const codes = async (method: string, request: object) =>
    await Promise.all(
      [{}, { token: 'wrong' }, { token: 'counts' }, { token: 'reads' }, { token: 'works' }].map(
        async (options) => (await client.call(method, request, options)).code,
      ),
    );
  const unknown = ['UNAUTHENTICATED', 'UNAUTHENTICATED', 'PERMISSION_DENIED'];
  expect(await codes('Enqueue', { job: order() })).toEqual([...unknown, 'PERMISSION_DENIED', 'OK']);
  expect(await codes('EnqueueMany', { jobs: [order()] })).toEqual([...unknown, 'PERMISSION_DENIED', 'OK']);
  expect(await codes('Get', { id: '1' })).toEqual([...unknown, 'OK', 'OK']);
  expect(await codes('Cancel', { id: '1' })).toEqual([...unknown, 'PERMISSION_DENIED', 'OK']);
  expect((await client.stream('Watch', { id: '1' }).ended).code).toBe('UNAUTHENTICATED');
  expect((await client.stream('Watch', { id: '1' }, { token: 'reads' }).ended).code).toBe('OK');
  expect(await acted.first(({ token }) => token === 'operator-2')).toMatchObject({
    method: 'GRPC',
    path: '/warren.v1.Jobs/Cancel',
    status: 0,
  });

  using health = GrpcClient.health(address);
  await eventually(
    () => health.call('Check', {}),
    ({ body }) => body.status === 'SERVING',
  );
  expect((await health.call('Check', { service: 'warren.v1.Jobs' })).body).toEqual({ status: 'SERVING' });
  expect((await health.call('Check', { service: 'none' })).code).toBe('NOT_FOUND');
  using reflection = GrpcClient.reflection(address);
  expect(await reflection.services({ token: 'reads' })).toContain('warren.v1.Jobs');
  await expect(reflection.services({})).rejects.toThrow('UNAUTHENTICATED');
});

test('without Postgres it answers UNAVAILABLE in time and is not SERVING, and what a caller gives up ends', async () => {
  await using stack = new AsyncDisposableStack();
  await using starting = await startApi({ until: 'listening', environment: { GRPC_PORT: '0' } });
  using early = new GrpcClient(starting.api.grpcAddress as string);
  expect(await early.call('Get', { id: '1' })).toMatchObject({ code: 'UNAVAILABLE', reason: 'starting' });

  const events = new Events();
  using finished = listen(events, 'rpc.finished');
  const { client, address, database } = stack.use(await startGrpc({ events }));
  const { body } = await client.call('Enqueue', { job: order() });
  await withLockedJobs(database.url, async () => {
    await client.call('Get', { id: body.job.id }, { deadlineMs: 300 });
    // Whichever comes first: the server's own clock, or that the client has gone.
    await finished.first(
      ({ method, code }) =>
        method === 'warren.v1.Jobs/Get' && ['DEADLINE_EXCEEDED', 'CANCELLED'].includes(code),
    );
    const given = client.begin('Cancel', { id: body.job.id });
    given.cancel();
    expect((await given.answer).code).toBe('CANCELLED');
  });

  await database[Symbol.asyncDispose]();
  const tookMs: number[] = [];
  for (const [method, request] of [
    ['Enqueue', { job: order() }],
    ['EnqueueMany', { jobs: [order()] }],
    ['Get', { id: '1' }],
    ['Cancel', { id: '1' }],
  ] as const) {
    const startedAt = performance.now();
    const answer = await client.call(method, request);
    tookMs.push(performance.now() - startedAt);
    expect(answer).toMatchObject({ code: 'UNAVAILABLE', retryAfterSeconds: 1 });
    expect(answer.message).not.toMatch(/\d+\.\d+\.\d+\.\d+/);
  }
  expect(Math.min(...tookMs)).toBeLessThan(2_000); // the quickest, as the machine may stand still during others
  expect((await client.stream('Watch', { id: '1' }).ended).code).toBe('UNAVAILABLE');
  using health = GrpcClient.health(address);
  await eventually(
    () => health.call('Check', {}),
    (answer) => answer.body?.status === 'NOT_SERVING',
  );
});

/** Nobody can read or write a job meanwhile. */
async function withLockedJobs(url: string, act: () => Promise<void>): Promise<void> {
  const sql = postgres(url, { max: 1, fetch_types: false, onnotice: () => {} });
  try {
    await sql.begin(async (transaction) => {
      await transaction`lock table warren.jobs in access exclusive mode`;
      await act();
    });
  } finally {
    await sql.end();
  }
}
