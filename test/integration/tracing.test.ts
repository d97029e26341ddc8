// Spans of OpenTelemetry, made by its own SDK in the programs as docs/tracing.md has it started, and received by OTLP.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCommand } from '../../dev/command.ts';
import { createDocumentedProject } from '../support/documented-project.ts';
import { HANG_MS } from '../support/eventually.ts';
import type { OtlpReceiver, ReceivedSpan } from '../support/otlp-receiver.ts';
import { ERROR, kinds, startOtlpReceiver } from '../support/otlp-receiver.ts';
import type { Program } from '../support/program.ts';
import { startProgram } from '../support/program.ts';
import type { TestDatabase, TestVhost } from '../support/servers.ts';
import { asRole, asUser, createDatabase, createVhost } from '../support/servers.ts';

const CALLER = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' };
const traceparent = `00-${CALLER.traceId}-${CALLER.spanId}-01`;

const stack = new AsyncDisposableStack();
const project = stack.use(createDocumentedProject('tracing.md'));
let receiver: OtlpReceiver;
let database: TestDatabase;
let vhost: TestVhost;
let worker: Program;
let apiUrl: string;

function environment(program: 'api' | 'worker'): Record<string, string> {
  return {
    DATABASE_URL: asRole(database.url, program),
    AMQP_URL: asUser(vhost.url, program),
    WARREN_APP: './test/support/traced-jobs.ts',
    LOG_LEVEL: 'debug',
    ...sdkSettings(program),
  };
}

function sdkSettings(name: string, more: Record<string, string> = {}): Record<string, string> {
  return {
    NODE_OPTIONS: `--import=${pathToFileURL(join(project.folder, 'otel.ts'))}`,
    OTEL_SERVICE_NAME: name,
    OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '50',
    ...more,
    OTEL_METRICS_EXPORTER: 'none',
    OTEL_LOGS_EXPORTER: 'none',
  };
}

beforeAll(async () => {
  receiver = stack.use(await startOtlpReceiver());
  [database, vhost] = await Promise.all([createDatabase(), createVhost()]);
  stack.use(database);
  stack.use(vhost);
  worker = stack.use(await startProgram('worker', { ...environment('worker'), WORKER_HEALTH_PORT: '0' }));
  const api = stack.use(await startProgram('api', { ...environment('api'), PORT: '0' }));
  const { url } = await api.waitForLog('api serving', { timeoutMs: HANG_MS });
  apiUrl = String(url);
});

afterAll(async () => {
  await stack.disposeAsync();
});

async function post(
  path: string,
  body: object,
  { url = apiUrl, headers = {} }: { url?: string; headers?: Record<string, string> } = {},
): Promise<{ id: string; ids: string[] }> {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent, tracestate: 'vendor=1', ...headers },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { job?: { id: string }; ids?: string[] };
  expect(response.status, JSON.stringify(answer)).toBe(202);
  return { id: answer.job?.id ?? '', ids: answer.ids ?? [] };
}

const isOf = (jobId: string) => (span: ReceivedSpan) => span.attributes['messaging.message.id'] === jobId;
const isSend = ({ kind }: ReceivedSpan) => kind === kinds.producer;
const isAttempt = (jobId: string) => (span: ReceivedSpan) =>
  isOf(jobId)(span) && span.kind === kinds.consumer;

test.each(['inline', 'thread', 'process'])(
  'an attempt that fails and its retry (%s) are linked to the enqueue, and are the parents of what the handler does',
  { timeout: 2 * HANG_MS },
  async (type) => {
    const { id } = await post('/v1/jobs', { type, args: { failures: 1 } });
    const [send] = await receiver.find((span) => isSend(span) && isOf(id)(span));
    expect(send).toMatchObject({
      name: 'send default',
      service: 'api',
      traceId: CALLER.traceId,
      parentSpanId: CALLER.spanId,
      traceState: 'vendor=1',
      attributes: {
        'messaging.system': 'warren',
        'messaging.operation.name': 'enqueue',
        'messaging.operation.type': 'send',
        'messaging.destination.name': 'default',
        'warren.job.type': type,
      },
    });

    const attempts = await receiver.find(isAttempt(id), 2);
    const link = { traceId: send?.traceId, spanId: send?.spanId };
    for (const [index, attempt] of attempts.entries()) {
      expect(attempt).toMatchObject({
        name: 'process default',
        service: 'worker',
        links: [link],
        attributes: {
          'messaging.system': 'warren',
          'messaging.operation.name': 'perform',
          'messaging.operation.type': 'process',
          'messaging.destination.name': 'default',
          'warren.job.type': type,
          'warren.job.attempt': index + 1,
          'warren.job.state': index === 0 ? 'retryable' : 'completed',
        },
      });
      expect(attempt.parentSpanId ?? '').toBe('');
      expect(attempt.traceId).not.toBe(CALLER.traceId);
    }
    const [failed, retried] = attempts;
    expect(failed?.traceId).not.toBe(retried?.traceId);
    expect(failed?.status).toEqual({ code: ERROR, message: 'Error: broken' });
    expect(failed?.events).toMatchObject([
      { name: 'exception', attributes: { 'exception.message': 'Error: broken', 'exception.type': 'Error' } },
    ]);
    expect(String(failed?.events[0]?.attributes['exception.stacktrace'])).toContain('traced-jobs.ts');
    expect(retried).toMatchObject({ status: {}, events: [] });
    expect(retried?.status.code ?? 0).toBe(0);

    const own = await receiver.find(
      ({ name, attributes }) => name === 'own work' && attributes['job'] === id,
      2,
    );
    // Each isolate sends its own, in whatever order.
    expect(own.map(({ traceId, parentSpanId }) => `${traceId} ${parentSpanId}`).sort()).toEqual(
      attempts.map(({ traceId, spanId }) => `${traceId} ${spanId}`).sort(),
    );

    for (const msg of ['at work', 'attempt failed, the job is tried again', 'job ended']) {
      const line = await worker.waitForLog((logged) => logged['jobId'] === id && logged.msg === msg);
      const { traceId: trace_id, spanId: span_id } = (msg === 'job ended' ? retried : failed) ?? {};
      expect(line).toMatchObject({ trace_id, span_id, trace_flags: '01' });
      expect(line['traceparent']).toBe(`00-${link.traceId}-${link.spanId}-01`);
    }
  },
);

test.each(['inline', 'thread', 'process'])(
  'the baggage of a request is active in the handler (%s), and in no line of the log',
  { timeout: 2 * HANG_MS },
  async (type) => {
    const baggage = 'tenant=B%C3%A4r%20%26%20Co;ttl=30,plan=gold';
    const { id } = await post('/v1/jobs', { type, args: {} }, { headers: { baggage } });
    const isOwn = ({ name, attributes }: ReceivedSpan) => name === 'own work' && attributes['job'] === id;
    const [own] = await receiver.find(isOwn);
    expect(own?.attributes['tenant']).toBe('Bär & Co');
    const lines = ['at work', 'attempt finished', 'job ended'];
    for (const msg of lines) {
      const line = await worker.waitForLog((logged) => logged['jobId'] === id && logged.msg === msg);
      expect(JSON.stringify(line)).not.toContain('gold');
    }
  },
);

test('many jobs of one call are one span, and all are linked to it', { timeout: 2 * HANG_MS }, async () => {
  const { ids } = await post('/v1/jobs/batch', {
    jobs: [
      { type: 'inline', args: {} },
      { type: 'inline', args: {} },
    ],
  });
  const [send] = await receiver.find(({ attributes }) => attributes['messaging.batch.message_count'] === 2);
  expect(send).toMatchObject({ name: 'send default', kind: kinds.producer, parentSpanId: CALLER.spanId });
  for (const id of ids) {
    const [attempt] = await receiver.find(isAttempt(id));
    expect(attempt?.links).toMatchObject([{ traceId: send?.traceId, spanId: send?.spanId }]);
  }
});

test('a refused enqueue is a span with the error, and a job of SQL runs in a span without a link', {
  timeout: 2 * HANG_MS,
}, async () => {
  const response = await fetch(`${apiUrl}/v1/jobs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ type: 'inline', args: {}, limits: ['unknown'] }),
  });
  expect(response.status).toBe(422);
  const [refused] = await receiver.find((span) => isSend(span) && span.status.code === ERROR);
  expect(refused).toMatchObject({ events: [{ name: 'exception' }] });

  const client = postgres(database.url, { max: 1, fetch_types: false });
  const [row] = await client`select warren.enqueue('inline', '{"failures": 0}')::text as id`;
  await client.end();
  const [attempt] = await receiver.find(isAttempt(row?.['id']));
  expect(attempt?.links ?? []).toEqual([]);
});

test('a program that is stopped sends the spans that it holds', { timeout: 2 * HANG_MS }, async () => {
  await using seldom = await startProgram('api', {
    ...environment('api'),
    ...sdkSettings('stopping', { OTEL_BSP_SCHEDULE_DELAY: '3600000' }),
    PORT: '0',
  });
  const { url } = await seldom.waitForLog('api serving', { timeoutMs: HANG_MS });
  const { id } = await post('/v1/jobs', { type: 'inline', args: {} }, { url: String(url) });
  seldom.signal('SIGTERM');
  expect(await seldom.exited).toEqual({ code: 0, signal: null });
  expect(await receiver.find((span) => isSend(span) && isOf(id)(span))).toMatchObject([
    { service: 'stopping' },
  ]);
});

test('docs/tracing.md: the example runs, with the SDK and without', { timeout: 3 * HANG_MS }, async () => {
  const run = async (settings: Record<string, string>) => {
    await using own = await createDatabase({ migrated: false });
    const { status, stdout, stderr } = await runCommand(
      process.execPath,
      [join(project.folder, 'example.ts')],
      {
        env: { PATH: '/usr/bin:/bin', DATABASE_URL: own.url, ...settings },
        timeoutMs: HANG_MS,
      },
    );
    expect(status, stderr).toBe(0);
    return stdout.trimEnd().split('\n');
  };
  expect(await run(sdkSettings('crm'))).toEqual(['Hello Ada']);
  const [lookUp] = await receiver.find(({ name }) => name === 'look up');
  const [attempt] = await receiver.find(({ spanId }) => spanId === lookUp?.parentSpanId);
  const [send] = await receiver.find(({ service, name }) => service === 'crm' && name === 'send default');
  expect(attempt).toMatchObject({ name: 'process default', links: [{ spanId: send?.spanId }] });
  const others = new Set(['api', 'worker', 'stopping']); // they may still send
  const count = () => receiver.spans.filter(({ service }) => !others.has(String(service))).length;
  const before = count();
  const { NODE_OPTIONS = '' } = sdkSettings('crm');
  expect((await run({ NODE_OPTIONS, OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' }))[0]).toBe(
    'Hello Ada',
  );
  expect(await run({})).toEqual(['Hello Ada']);
  expect(count()).toBe(before);
});
