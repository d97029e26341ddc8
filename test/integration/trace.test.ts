// The trace of a request on its way to the job: the row, the handler's context, the events and the log lines.
import { Writable } from 'node:stream';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { seedOrders } from '../../examples/shop/orders.ts';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import type { JobContext } from '../../src/shared/job/job.ts';
import { createLogger, logEvents } from '../../src/shared/observe/log.ts';
import { LogOutput } from '../../src/shared/observe/log-output.ts';
import { startApi } from '../support/api.ts';
import { runWarren } from '../support/command-line.ts';
import { listen } from '../support/events.ts';
import { HANG_MS } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { createDatabase } from '../support/servers.ts';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const requestId = 'order 17';
const trace = { traceparent, requestId };

let fleet: Fleet;
const contexts = new Map<string, JobContext>();
const definition = testJob(
  async ({ fails }, context) => {
    contexts.set(context.jobId, context);
    if (fails === true) throw new Error('no');
  },
  { maxAttempts: 2 },
);

beforeAll(async () => {
  fleet = await startFleet(definition);
  await fleet.startWorker();
});

afterAll(async () => {
  await fleet[Symbol.asyncDispose]();
});

async function traceOf(jobId: string): Promise<unknown> {
  const rows = await fleet.sql((sql) => sql`select trace from warren.jobs where id = ${jobId}::text::bigint`);
  return rows[0]?.['trace'];
}

test("a job has the trace that it was enqueued with: in its row and in its handler's context", async () => {
  const jobId = await fleet.enqueue({}, trace);
  expect(await traceOf(jobId)).toEqual(trace);
  expect(await fleet.until(jobId)).toMatchObject({ state: 'completed' });
  expect(contexts.get(jobId)).toMatchObject(trace);
});

test('each job of a batch has it, and a job without a trace has none', async () => {
  const args = {};
  const ids = await fleet.enqueuer.enqueueBatch([
    { definition, args, ...trace },
    { definition, args, ...trace },
    { definition, args, requestId, traceparent: 'malformed' },
    { definition, args },
  ]);
  expect(await Promise.all(ids.map(traceOf))).toEqual([trace, trace, { requestId }, null]);
  const [, , malformed = '', none = ''] = ids;
  await fleet.until(none);
  expect(contexts.get(none)).not.toHaveProperty('traceparent');
  expect(contexts.get(none)).not.toHaveProperty('requestId');
  await fleet.until(malformed);
  expect(contexts.get(malformed)).not.toHaveProperty('traceparent');
});

test('every event and every log line of a job carries its trace', async () => {
  const { events } = fleet;
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const stopLogging = logEvents(
    events,
    createLogger({ name: 'test', level: 'debug', output: new LogOutput(stream, events) }),
  );
  using started = listen(events, 'attempt.started');
  using finished = listen(events, 'attempt.finished');
  using ended = listen(events, 'job.ended');
  try {
    const jobId = await fleet.enqueue({ fails: true }, trace);
    const isOurs = (message: { jobId: string }) => message.jobId === jobId;
    expect(await ended.first(isOurs)).toMatchObject({ ...trace, state: 'discarded' });
    expect(started.all.filter(isOurs)).toMatchObject([trace, trace]);
    expect(finished.all.filter(isOurs)).toMatchObject([trace, trace]);
    const told = lines.filter(
      (line) => line['jobId'] === jobId && line['msg'] !== 'a delivery started nothing',
    );
    expect(told.map(({ msg }) => msg)).toEqual([
      'attempt failed, the job is tried again',
      'attempt finished',
      'job discarded: it is not tried again',
    ]);
    for (const line of told) expect(line).toMatchObject(trace);
  } finally {
    stopLogging();
  }
});

test('an application passes a trace on, in a transaction of its own too, and a malformed one refuses no job', async () => {
  const follow = defineJob({
    type: 'follow',
    args: z.object({}),
    perform: async (_args, { traceparent, requestId }) => ({ traceparent, requestId }),
  });
  await using database = await createDatabase();
  const app = defineApp({ name: 'follower', queues: { default: {} }, jobs: [follow] });
  await using warren = new Warren({ app, databaseUrl: database.url, amqpUrl: 'none' });
  await warren.start();
  const { job } = await warren.enqueue(follow, {}, trace);
  const client = postgres(database.url, { max: 1 });
  const inTransaction = await client.begin((transaction) =>
    warren.enqueue(follow, {}, { ...trace, transaction }),
  );
  await client.end();
  const malformed = await warren.enqueue(follow, {}, { requestId: 'é', traceparent });
  await warren.startWorker();
  const ended = await Promise.all(
    [job, inTransaction.job, malformed.job].map(({ id }) => warren.jobs.wait(id, { timeoutMs: HANG_MS })),
  );
  expect(ended.map(({ output }) => output)).toEqual([trace, trace, { traceparent }]);
});

test('a request that is repeated under another trace is the same request', async () => {
  const request = { definition, args: {} };
  const first = await fleet.enqueuer.enqueue({ ...request, ...trace }, 'a key');
  const again = await fleet.enqueuer.enqueue({ ...request, requestId: 'another' }, 'a key');
  expect(again.job.id).toBe(first.job.id);
  expect(await traceOf(first.job.id)).toEqual(trace);
});

test('every way to enqueue over HTTP carries the headers of the request to the rows', async () => {
  await using database = await createDatabase();
  await seedOrders({ databaseUrl: database.url });
  await using api = await startApi({ databaseUrl: database.url });
  const headers = { 'x-request-id': requestId, traceparent };
  const order = { type: 'process-order', args: { orderId: '17' } };
  const unasked = { ...headers, baggage: 'tenant=acme' };
  const answers = [
    await api.post('/v1/jobs', order, unasked),
    await api.post('/v1/jobs/batch', { jobs: [order, order] }, headers),
    await api.get('/api/test/17', headers),
  ];
  expect(answers.map(({ headers }) => headers.get('x-request-id'))).toEqual(answers.map(() => requestId));
  await api.post('/v1/jobs', order);
  await api.post('/v1/jobs', order, { traceparent: 'malformed' });
  const client = postgres(database.url, { max: 1 });
  const rows = await client`select trace from warren.jobs order by id`;
  await client.end();
  expect(rows.map((row) => row['trace'])).toEqual([trace, trace, trace, trace, null, null]);
});

test('a job that is looked up leads to its trace: in the API, on its page and in the command', async () => {
  await using database = await createDatabase();
  const template = 'https://tempo.example/?q="{traceId}"&x=<b>';
  const environment = { TRACE_URL_TEMPLATE: template };
  await using api = await startApi({ databaseUrl: database.url, environment });
  const order = { type: 'process-order', args: { orderId: '17' } };
  const { id } = (await api.post('/v1/jobs', order, { traceparent })).body.job;
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const traceUrl = template.replace('{traceId}', traceId);
  expect((await api.get(`/v1/jobs/${id}`)).body.job).toMatchObject({ traceId, traceUrl });
  const page = (await api.get(`/dashboard/jobs/${id}`)).body;
  expect(page).toContain(
    `<a href="https://tempo.example/?q=&quot;${traceId}&quot;&amp;x=&lt;b&gt;" rel="noreferrer">${traceId}</a>`,
  );
  const shown = await runWarren(['jobs', 'show', id], { WARREN_URL: api.url });
  expect(shown.out).toMatch(/^traceId +0af7651916cd43dd8448eb211c80319c$/m);
  expect(shown.out.split('\n')).toContainEqual(
    expect.stringMatching(/^traceUrl +https:\/\/tempo\.example\//),
  );

  await using plain = await startApi({ databaseUrl: database.url });
  expect((await plain.get(`/v1/jobs/${id}`)).body.job).not.toHaveProperty('traceUrl');
  expect((await plain.get(`/dashboard/jobs/${id}`)).body).toContain(`<dd>${traceId}</dd>`);
  const untraced = (await plain.post('/v1/jobs', order)).body.job.id;
  expect((await plain.get(`/v1/jobs/${untraced}`)).body.job).not.toHaveProperty('traceId');
});
