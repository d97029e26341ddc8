// Every way to enqueue from code has its span, in this process with the SDK's own tracer; and without an SDK nothing is made.
import { createHash } from 'node:crypto';
import { context, ProxyTracer, propagation, trace } from '@opentelemetry/api';
import { NodeSDK } from '@opentelemetry/sdk-node';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import { eventually } from '../support/eventually.ts';
import { GrpcClient } from '../support/grpc.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

const SECRET = 'iban-4711-0815';
const args = z.object({});
const work = defineJob({ type: 'work', args, perform: async () => 'done' });
const pay = defineJob({
  type: 'pay',
  args: z.object({ iban: z.string() }),
  encrypted: true,
  maxAttempts: 1,
  perform: async ({ iban }) => {
    throw new TypeError(`${iban} is refused`);
  },
});
const told = defineJob({
  type: 'told',
  args,
  perform: async (_args, { baggage }) => ({
    baggage: baggage ?? 'none',
    tenant: propagation.getActiveBaggage()?.getEntry('tenant')?.value ?? 'none',
  }),
});
const parts = { name: 'faces', queues: { default: {} }, jobs: [work, pay, told] };
const app = defineApp(parts);

const settings = { ENCRYPTION_KEYS: `k:${createHash('sha256').update('k').digest('base64')}` };

const exporter = new InMemorySpanExporter();
let sdk: NodeSDK | undefined;
let database: TestDatabase;
let warren: Warren;

beforeAll(async () => {
  database = await createDatabase();
  warren = new Warren({ app, databaseUrl: database.url, amqpUrl: 'none', settings });
  await warren.start();
  await warren.startWorker();
});

afterAll(async () => {
  await warren?.stop();
  await sdk?.shutdown();
  await database?.[Symbol.asyncDispose]();
});

const spans = () => exporter.getFinishedSpans();
const attemptOf = async (jobId: string) => {
  const found = await eventually(
    () =>
      spans().find(
        ({ name, attributes }) => name === 'process default' && attributes['messaging.message.id'] === jobId,
      ),
    (span) => span !== undefined,
  );
  return found as ReadableSpan;
};

/** The spans of enqueues that `enqueue` makes, and the span within which it runs. */
async function within<Result>(enqueue: () => Promise<Result>) {
  exporter.reset();
  const caller = trace.getTracer('test').startSpan('caller');
  const result = await context.with(trace.setSpan(context.active(), caller), enqueue);
  caller.end();
  const sends = spans().filter(({ name }) => name === 'send default');
  return { result, sends, callerId: caller.spanContext().spanId };
}

test('without an SDK no span is made, not even one that does nothing', async () => {
  const startSpan = vi.spyOn(ProxyTracer.prototype, 'startSpan');
  const { job } = await warren.enqueue(work, {});
  const [many = ''] = await warren.enqueueMany([{ job: work, args: {} }]);
  for (const id of [job.id, many]) expect(await warren.jobs.wait(id)).toMatchObject({ state: 'completed' });
  expect(startSpan).not.toHaveBeenCalled();
  startSpan.mockRestore();
});

test('an SDK that starts later is used: for one job, for many, in a transaction, and for a batch with its callback', async () => {
  sdk = new NodeSDK({
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
    autoDetectResources: false,
  });
  sdk.start();
  const sql = postgres(database.url, { max: 1, fetch_types: false, onnotice: () => {} });
  const ways: Record<string, () => Promise<string[]>> = {
    one: async () => [(await warren.enqueue(work, {})).job.id],
    many: async () =>
      await warren.enqueueMany([
        { job: work, args: {} },
        { job: work, args: {} },
      ]),
    transaction: async () =>
      await sql.begin(async (transaction) => [(await warren.enqueue(work, {}, { transaction })).job.id]),
    batch: async () =>
      (await warren.batches.create({ jobs: [{ job: work, args: {} }], onEnd: { job: work, args: {} } })).ids,
  };
  for (const [way, enqueue] of Object.entries(ways)) {
    const { result: ids, sends, callerId } = await within(enqueue);
    expect(sends, way).toMatchObject([{ parentSpanContext: { spanId: callerId } }]);
    const link = {
      context: { spanId: sends[0]?.spanContext().spanId, traceId: sends[0]?.spanContext().traceId },
    };
    for (const id of ids) expect((await attemptOf(id)).links, way).toMatchObject([link]);
    if (way === 'batch') {
      const attempts = await eventually(
        () => spans().filter(({ name }) => name === 'process default'),
        ({ length }) => length === 2,
      );
      expect(attempts.map(({ links }) => links)).toMatchObject([[link], [link]]);
    }
  }
  await sql.end();
});

test('a job that names another trace than its caller belongs to the one that it names', async () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const { sends } = await within(() =>
    warren.enqueue(work, {}, { traceparent: `00-${traceId}-b7ad6b7169203331-01` }),
  );
  expect(sends).toMatchObject([{ parentSpanContext: { traceId, spanId: 'b7ad6b7169203331' } }]);
});

test('a call of gRPC belongs to the trace that its metadata name', async () => {
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  await using grpc = await warren.startGrpc({ port: 0, apiToken: 'secret' });
  using client = new GrpcClient(grpc.address);
  const metadata = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'vendor=1' };
  const { sends } = await within(async () => {
    const answer = await client.call(
      'Enqueue',
      { job: { type: 'work', args: '{}' } },
      { token: 'secret', metadata },
    );
    expect(answer).toMatchObject({ code: 'OK' });
  });
  expect(sends).toMatchObject([{ parentSpanContext: { traceId, spanId: 'b7ad6b7169203331' } }]);
  expect(sends[0]?.spanContext().traceState?.serialize()).toBe('vendor=1');
});

test('the active baggage travels with a job where the application asks for it, by every way from code', async () => {
  const carrying = defineApp({ ...parts, trace: { baggage: true } });
  await using carrier = new Warren({ app: carrying, databaseUrl: database.url, amqpUrl: 'none', settings });
  await carrier.start();
  await using grpc = await carrier.startGrpc({ port: 0, apiToken: 'secret' });
  using client = new GrpcClient(grpc.address);
  await using stack = new AsyncDisposableStack();
  const sql = postgres(database.url, { max: 1, fetch_types: false, onnotice: () => {} });
  stack.defer(async () => await sql.end());
  const of = (by: Warren): Record<string, () => Promise<string>> => ({
    one: async () => (await by.enqueue(told, {})).job.id,
    many: async () => (await by.enqueueMany([{ job: told, args: {} }]))[0] ?? '',
    transaction: async () =>
      await sql.begin(async (transaction) => (await by.enqueue(told, {}, { transaction })).job.id),
    batch: async () => (await by.batches.create({ jobs: [{ job: told, args: {} }] })).ids[0] ?? '',
  });
  const active = propagation.createBaggage({ tenant: { value: 'Bär & Co' }, plan: { value: 'gold' } });
  const enqueue = async (by: () => Promise<string>) => {
    const id = await context.with(propagation.setBaggage(context.active(), active), by);
    return (await warren.jobs.wait(id)).output;
  };
  for (const [way, by] of Object.entries(of(carrier)))
    expect(await enqueue(by), way).toEqual({
      baggage: 'tenant=B%C3%A4r%20%26%20Co,plan=gold',
      tenant: 'Bär & Co',
    });
  for (const [way, by] of Object.entries(of(warren)))
    expect(await enqueue(by), way).toEqual({ baggage: 'none', tenant: 'none' });
  const own = async () => (await warren.enqueue(told, {}, { baggage: 'tenant=own' })).job.id;
  expect(await enqueue(own)).toEqual({ baggage: 'tenant=own', tenant: 'own' });
  const malformed = async () => (await warren.enqueue(told, {}, { baggage: 'tenant' })).job.id;
  expect(await enqueue(malformed)).toEqual({ baggage: 'none', tenant: 'none' });

  const called = await client.call(
    'Enqueue',
    { job: { type: 'told', args: '{}' } },
    { token: 'secret', metadata: { baggage: 'tenant=metadata' } },
  );
  const id: string = called.body.job.id;
  expect((await warren.jobs.wait(id)).output).toEqual({ baggage: 'tenant=metadata', tenant: 'metadata' });
});

test('baggage stays behind where the jobs of one request would have more of it together than their body may have', async () => {
  await using testDatabase = await createDatabase();
  const carrying = defineApp({ ...parts, trace: { baggage: true } });
  await using carrier = new Warren({
    app: carrying,
    databaseUrl: testDatabase.url,
    amqpUrl: 'none',
    settings,
  });
  await carrier.start();
  const http = carrier.http({ isOpen: true });
  await using grpc = await carrier.startGrpc({ port: 0, apiToken: 'secret' });
  using client = new GrpcClient(grpc.address);
  const sql = postgres(testDatabase.url, { max: 1, onnotice: () => {} });
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => await sql.end());
  const baggage = `tenant=${'x'.repeat(8_183)}`;
  const few = Math.floor((8 * 1_024 * 1_024) / baggage.length);
  const headers = { 'content-type': 'application/json', baggage };
  const jobs = (count: number) => Array.from({ length: count }, () => ({ type: 'work', args: {} }));
  const post = (path: string) => async (count: number) => {
    const body = JSON.stringify({ jobs: jobs(count) });
    const answer = await http.request(`http://localhost${path}`, { method: 'POST', headers, body });
    return ((await answer.json()) as { ids: string[] }).ids;
  };
  const ways: Record<string, (count: number) => Promise<string[]>> = {
    many: post('/v1/jobs/batch'),
    batch: post('/v1/batches'),
    grpc: async (count) => {
      const given = jobs(count).map((job) => ({ ...job, args: '{}' }));
      const call = { token: 'secret', metadata: { baggage } };
      return (await client.call('EnqueueMany', { jobs: given }, call)).body.ids;
    },
  };
  const carried = async (ids: readonly string[]) => {
    const [row] = await sql`select count(*)::int as jobs from warren.jobs
      where id = any(${ids}::text[]::bigint[]) and trace ->> 'baggage' = ${baggage}`;
    return row?.['jobs'];
  };
  for (const [way, enqueueJobs] of Object.entries(ways)) {
    expect(await carried(await enqueueJobs(few)), way).toBe(few);
    const ids = await enqueueJobs(few + 1);
    expect(ids, way).toHaveLength(few + 1);
    expect(await carried(ids), way).toBe(0);
  }
});

test('the job of each tick of a schedule has a span of its own, and one that somebody asked for a parent', async () => {
  exporter.reset();
  const input = { everyMs: 1_000, type: 'work', args: {}, overlap: 'allow' as const };
  await warren.schedules.set('pulse', input);
  const sends = () => spans().filter(({ attributes }) => attributes['warren.schedule.name'] === 'pulse');
  const [send] = await eventually(sends, ({ length }) => length > 0);
  await warren.schedules.pause('pulse');
  const jobId = String(send?.attributes['messaging.message.id']);
  expect(send).toMatchObject({
    name: 'send default',
    attributes: {
      'messaging.operation.name': 'enqueue',
      'warren.job.type': 'work',
      'warren.schedule.tick': expect.stringMatching(/^\d{4}-.*:\d\d\.000Z$/),
    },
  });
  expect(send?.parentSpanContext).toBeUndefined();
  const { spanId, traceId } = send?.spanContext() ?? {};
  expect((await attemptOf(jobId)).links).toMatchObject([{ context: { spanId, traceId } }]);

  const asked = await within(() => warren.schedules.run('pulse'));
  expect(asked.sends).toMatchObject([
    {
      parentSpanContext: { spanId: asked.callerId },
      attributes: { 'warren.schedule.name': 'pulse', 'messaging.message.id': asked.result },
    },
  ]);
  expect(asked.sends[0]?.attributes).not.toHaveProperty('warren.schedule.tick');
  await warren.schedules.remove('pulse');
});

test('of an error of an encrypted type the span has nothing that the row hides', async () => {
  const { result } = await within(async () => (await warren.enqueue(pay, { iban: SECRET })).job.id);
  const attempt = await attemptOf(result);
  expect(attempt.status.code).toBe(2);
  expect(attempt.events).toHaveLength(1);
  expect(JSON.stringify([attempt.status, attempt.events, attempt.attributes])).not.toContain(SECRET);
  expect((await warren.jobs.wait(result)).state).toBe('discarded');
});
