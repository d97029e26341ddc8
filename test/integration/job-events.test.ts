// The stream of events: what happens to jobs, live, in whichever process, and what becomes of those who come back, are slow or too many.
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import type { EventFilter } from '../../src/index.ts';
import { defineApp, defineJob, InvalidInput, Warren } from '../../src/index.ts';
import { createEventPruner } from '../../src/worker/maintenance/event-pruner.ts';
import { startApi } from '../support/api.ts';
import { EventStream } from '../support/event-stream.ts';
import { eventually } from '../support/eventually.ts';
import type { TestDatabase } from '../support/servers.ts';
import { asRole, createDatabase, openAs } from '../support/servers.ts';

const greet = defineJob({
  type: 'greet',
  args: z.object({ name: z.string() }),
  async perform({ name }, { log, progress }) {
    log.info(`hello ${name}`);
    progress(0.5, 'half');
    return { greeted: name };
  },
});
const fail = defineJob({
  type: 'fail',
  queue: 'mail',
  args: z.object({}),
  maxAttempts: 2,
  backoffMs: () => 0,
  perform: async () => {
    throw new Error('no such mailbox');
  },
});
const rest = defineJob({ type: 'rest', queue: 'nowhere', args: z.object({}), perform: async () => {} });
const app = defineApp({
  name: 'crm',
  queues: { default: {}, mail: {}, nowhere: {} },
  jobs: [greet, fail, rest],
});

let database: TestDatabase;
let sql: postgres.Sql;
let working: Warren;
let pods: Warren[];

/** As a client of this pod. */
async function watch(
  query: string,
  { pod = 0, from }: { pod?: number; from?: string } = {},
): Promise<EventStream> {
  const headers = from === undefined ? {} : { 'last-event-id': from };
  const http = pods[pod]?.http({ isOpen: true });
  return new EventStream((await http?.request(`/v1/events?${query}`, { headers })) as Response);
}

beforeAll(async () => {
  database = await createDatabase();
  sql = postgres(database.url, { max: 2 });
  working = new Warren({ app, databaseUrl: asRole(database.url, 'worker'), amqpUrl: 'none' });
  await working.start();
  await working.startWorker({ queues: { default: {}, mail: {} } });
  const settings = { EVENT_WATCHERS_MAX: '3' };
  pods = [1, 2].map(
    () => new Warren({ app, databaseUrl: asRole(database.url, 'api'), amqpUrl: 'none', settings }),
  );
  await Promise.all(pods.map((pod) => pod.start()));
});

afterAll(async () => {
  await Promise.all((pods ?? []).map((pod) => pod.stop()));
  await working?.stop();
  await sql?.end();
  await database?.[Symbol.asyncDispose]();
});

test('where nobody watches nothing is recorded', async () => {
  const { job } = await working.enqueue(greet, { name: 'Ada' });
  await working.jobs.wait(job.id);
  expect(await sql`select from warren.events`).toHaveLength(0);
  expect(await sql`select from warren.event_watches`).toHaveLength(0);
});

test('each change of a job is told to those who watch its type, from another process', async () => {
  const stream = await watch('type=greet');
  expect((await stream.next())?.data).toEqual({ kind: 'ready' });
  await working.enqueue(fail, {});
  const { job } = await working.enqueue(greet, { name: 'Ada' });
  const events = await stream.take(5);
  expect(events.map(({ event, data }) => [event, data.state ?? data.share ?? data.message])).toEqual([
    ['job.enqueued', 'available'],
    ['job.started', 'running'],
    ['job.logged', 'hello Ada'],
    ['job.progressed', 0.5],
    ['job.ended', 'completed'],
  ]);
  expect(events[4]?.data).toEqual({
    kind: 'job.ended',
    at: expect.any(String),
    jobId: job.id,
    type: 'greet',
    queue: 'default',
    attempt: 1,
    state: 'completed',
  });
  await stream.close();
});

test('filters by job, queue and kind, and an error of an attempt, in an iterable', async () => {
  const { job } = await working.enqueue(fail, {}, { delayMs: 3_600_000 });
  const filter: EventFilter = { jobs: [job.id], queues: ['mail'], kinds: ['job.failed', 'job.ended'] };
  const seen: string[] = [];
  for await (const event of pods[0]?.events(filter) ?? []) {
    if (event.kind === 'ready') {
      await working.enqueue(fail, {}); // another one
      await sql`update warren.jobs set run_at = now() where id = ${job.id}`;
    } else if (event.kind === 'job.failed' || event.kind === 'job.ended') {
      seen.push(`${event.state} ${event.attempt} ${event.error}`);
      if (event.kind === 'job.ended') break;
    }
  }
  expect(seen).toEqual(['retryable 1 Error: no such mailbox', 'discarded 2 Error: no such mailbox']);
});

test('who comes back to another pod gets what has happened meanwhile, once, in whatever order it was committed', async () => {
  const insert = (client: postgres.ISql, name: string) => client`
    insert into warren.jobs (type, queue, args, max_attempts, state, run_at)
    values ('rest', 'nowhere', ${sql.json({ name })}, 1, 'scheduled', now() + interval '1 hour') returning id`;
  const idOf = async (client: postgres.ISql, name: string) => String((await insert(client, name))[0]?.['id']);
  const stream = await watch('queue=nowhere&kind=job.enqueued');
  await stream.next();
  const early: string[] = [];
  const late: string[] = [];
  let from = '';
  await sql.begin(async (long) => {
    late.push(await idOf(long, 'begun first, committed last'));
    early.push(await idOf(sql, 'one'), await idOf(sql, 'two'));
    const [one, two] = await stream.take(2);
    expect([one, two].map((event) => event?.data.jobId)).toEqual(early);
    from = one?.id ?? '';
    await stream.close();
  });
  late.push(await idOf(sql, 'three'));
  const again = await watch('queue=nowhere&kind=job.enqueued', { pod: 1, from });
  const events = await again.take(4);
  expect(events[0]?.data).toEqual({ kind: 'ready' });
  expect(
    events
      .slice(1)
      .map(({ data }) => data.jobId)
      .sort(),
  ).toEqual([...early.slice(1), ...late].sort());
  const last = await idOf(sql, 'four');
  expect((await again.next())?.data.jobId).toBe(last);
  await again.close();
});

test('who comes back too late, or with another filter, is told to look at the jobs', async () => {
  const stream = await watch('queue=nowhere');
  const from = (await stream.next())?.id ?? '';
  await stream.close();
  const other = await watch('queue=other', { from });
  expect((await other.next())?.data).toEqual({ kind: 'reset', reason: 'missed' });
  await other.close();

  await sql`update warren.event_watches set until = now() - interval '1 s'`; // nobody watched for a while
  const late = await watch('queue=nowhere', { pod: 1, from });
  expect((await late.next())?.data).toEqual({ kind: 'reset', reason: 'missed' });
  await late.close();
});

test('what is wrong with a request is a problem', async () => {
  const http = pods[0]?.http({ isOpen: true });
  const answer = await http?.request('/v1/events?kind=job.exploded');
  expect(answer?.status).toBe(422);
  const malformed = await http?.request('/v1/events', { headers: { 'last-event-id': '1; drop table' } });
  expect(malformed?.status).toBe(422);
  await expect(pods[0]?.events({ jobs: ['x'] }).next()).rejects.toThrow(InvalidInput);
});

test('all who watch the same share one interest, one too many is refused, and who leaves makes room', async () => {
  const streams = await Promise.all([watch('type=greet'), watch('type=greet'), watch('type=greet')]);
  for (const stream of streams) await stream.next();
  expect(await sql`select from warren.event_watches where types = '{greet}'`).toHaveLength(1);
  const http = pods[0]?.http({ isOpen: true });
  const refused = await http?.request('/v1/events');
  expect(refused?.status).toBe(503);
  expect(await refused?.json()).toMatchObject({ code: 'watchers_full' });
  await streams[0]?.close();
  const next = await eventually(
    async () => (await http?.request('/v1/events')) as Response,
    ({ status }) => status === 200,
  );
  await Promise.all([new EventStream(next), ...streams.slice(1)].map((stream) => stream.close()));
});

test('however many filters come and go, a process has a bounded number recorded, and each hears what it asked for', async () => {
  const filters = Array.from({ length: 110 }, (_, n) => `type=other-${n}`);
  const before = new Set((await sql`select filter from warren.event_watches`).map(({ filter }) => filter));
  for (const filter of filters) {
    const stream = await watch(filter, { pod: 1 });
    expect(await stream.next()).toMatchObject({ event: 'ready' });
    await stream.close();
  }
  const rows = await sql`select filter from warren.event_watches`;
  expect(rows.filter(({ filter }) => !before.has(filter)).length).toBeLessThanOrEqual(100 + 1);
  const stream = await watch('type=greet&kind=job.enqueued', { pod: 1 });
  expect(await stream.next()).toMatchObject({ event: 'ready' });
  const { job } = await working.enqueue(greet, { name: 'Ada' });
  await working.enqueue(fail, {});
  expect(await stream.next()).toMatchObject({ data: { jobId: job.id } });
  await stream.close();
});

test('what is old is forgotten: interests that nobody has, events, and who comes back for them is told', async () => {
  const stream = await watch('queue=nowhere');
  const from = (await stream.next())?.id ?? '';
  await working.enqueue(rest, {});
  await stream.next();
  await stream.close();
  await sql`
    update warren.event_watches set complete_since = now() - interval '1 hour',
      until = case when queues = '{nowhere}' then until else now() - interval '1 s' end`;
  await sql`update warren.events set at = now() - interval '11 min'`;
  const kept = openAs(database.url, 'worker');
  await createEventPruner({ database: kept })();
  await kept.stop();
  expect(await sql`select from warren.events`).toHaveLength(0);
  expect(
    await sql`
      select queues::text, complete_since between now() - interval '12 min' and now() - interval '10 min' as noted
      from warren.event_watches`,
  ).toEqual([{ queues: '{nowhere}', noted: true }]);
  const old = from.replace(/^\d+/, String((Date.now() - 3_000_000) * 1_000)); // as of 50 minutes ago
  const late = await watch('queue=nowhere', { pod: 1, from: old });
  expect((await late.next())?.data).toEqual({ kind: 'reset', reason: 'missed' });
  await late.close();
});

test('a burst of events makes no reader slow that reads, and one that does not read makes room', async () => {
  const idle = pods[0]?.events({ types: ['rest'] });
  await idle?.next();
  const stream = await watch('type=rest');
  await stream.next();
  await sql`
    insert into warren.jobs (type, queue, args, max_attempts, state, run_at)
    select 'rest', 'nowhere', '{}', 1, 'scheduled', now() + interval '1 hour' from generate_series(1, 5000)`;
  const events = await stream.take(5_000);
  expect(new Set(events.map(({ event, data }) => `${event} ${data.jobId}`)).size).toBe(5_000);
  await stream.close();
  let last: string | undefined;
  for await (const event of idle ?? []) last = event.kind;
  expect(last).toBe('reset');
});

test('a stop of the API ends each stream cleanly, and each wait with the job as it is', async () => {
  const { job } = await working.enqueue(rest, {}, { delayMs: 3_600_000 });
  const running = await startApi({ databaseUrl: database.url });
  const stream = new EventStream(await fetch(`${running.url}/v1/events?queue=default`));
  await stream.next();
  const waiting = running.get(`/v1/jobs/${job.id}?wait=60`);
  const { job: greeted } = await working.enqueue(greet, { name: 'Bob' });
  await eventually(
    async () => (await stream.next())?.data,
    (data) => data.jobId === greeted.id && data.kind === 'job.ended',
  );
  await running.api.stop();
  expect(await stream.next()).toBeUndefined();
  expect(await waiting).toMatchObject({ status: 200, body: { job: { id: job.id, state: 'scheduled' } } });
});

test('a request may wait for the end of a job, and for so long only', async () => {
  const http = working.http({ isOpen: true });
  const { job } = await working.enqueue(greet, { name: 'Ada' });
  const ended = await http.request(`/v1/jobs/${job.id}?wait=60`);
  expect(await ended.json()).toMatchObject({ job: { state: 'completed', output: { greeted: 'Ada' } } });
  const { job: later } = await working.enqueue(rest, {});
  const waited = await http.request(`/v1/jobs/${later.id}?wait=1`);
  expect(await waited.json()).toMatchObject({ job: { state: 'available' } });
  expect((await http.request(`/v1/jobs/${later.id}?wait=61`)).status).toBe(422);
  expect((await http.request('/v1/jobs/999999?wait=60')).status).toBe(404);
});
