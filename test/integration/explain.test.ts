// Why a job is not running: each reason by its real cause, on real servers.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Unrecoverable } from '../../src/index.ts';
import { reasonNames } from '../../src/queue/explain/reasons.ts';
import { Events } from '../../src/shared/observe/events.ts';
import type { RunningApi } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleetWith, testJob } from '../support/fleet.ts';
import { insertHeld } from '../support/held.ts';

const HOUR_MS = 3_600_000;
/** What a request has failed with, for whoever reads a failed test. */
const failures: string[] = [];
const seen = new Set<string>();
const running: PromiseWithResolvers<void>[] = [];

/** Runs until the test lets it, whatever its signal says. */
const waits = testJob(async () => {
  const gate = Promise.withResolvers<void>();
  running.push(gate);
  await gate.promise;
});
const fails = testJob(
  async () => {
    throw new Error('no such mailbox');
  },
  { type: 'fails', backoffMs: () => HOUR_MS },
);

let fleet: Fleet;
let api: RunningApi;
/** Misses its RabbitMQ. */
let cutOff: RunningApi;

beforeAll(async () => {
  const gates = {
    limits: { stripe: { concurrency: 1 } },
    groups: { maxRunning: 1 },
    onDiscard: 'stop',
  } as const;
  fleet = await startFleetWith(gates, waits, fails);
  const events = new Events();
  events.subscribe('request.failed', ({ error }) => failures.push(String(error)));
  api = await startApi({ databaseUrl: fleet.testDatabase.url, amqpUrl: fleet.vhost.url, events });
  await fleet.stopWorker(await fleet.startWorker()); // it has told of its types
  cutOff = await startApi({ databaseUrl: fleet.testDatabase.url });
});

afterAll(async () => {
  for (const { resolve } of running) resolve();
  await Promise.all([api?.[Symbol.asyncDispose](), cutOff?.[Symbol.asyncDispose]()]);
  await fleet?.[Symbol.asyncDispose]();
});

async function explain(id: string, by = api) {
  const { status, body } = await by.get(`/v1/jobs/${id}/explain`);
  expect(status, JSON.stringify(failures)).toBe(200);
  expect(body).toEqual({
    state: expect.any(String),
    reason: expect.any(String),
    since: expect.any(String),
    detail: expect.stringMatching(/^[A-Z\d].*\.$/),
    remedy: body.remedy === null ? null : expect.stringMatching(/^[A-Z].*[.)]$/),
    waitsFor: body.reason === 'order' ? expect.stringMatching(/^\d+$/) : null,
  });
  seen.add(body.reason);
  return body;
}

/** Lets handlers return until these jobs have ended. */
const letGo = async (...ids: string[]) => {
  await eventually(
    async () => {
      for (const { resolve } of running.splice(0)) resolve();
      return await Promise.all(ids.map((id) => fleet.job(id)));
    },
    (jobs) => jobs.every(({ finishedAt }) => finishedAt !== null),
  );
};

/** As a program outside inserts it; nobody is told. */
async function insert(columns: Record<string, unknown> = {}): Promise<string> {
  const row = {
    type: 'test-job',
    queue: 'default',
    args: {},
    max_attempts: 5,
    state: 'available',
    ...columns,
  };
  const [inserted] = await fleet.sql(
    (sql) => sql<{ id: string }[]>`
    insert into warren.jobs ${sql(row as never)} returning id::text as id`,
  );
  return inserted?.id ?? '';
}

test('without a worker: nobody is there, the time has come, a time is over, an owner is gone', async () => {
  expect(await explain(await insert())).toMatchObject({
    state: 'available',
    reason: 'no-worker',
    detail: 'There is no living worker.',
    remedy: expect.stringContaining('WORKER_QUEUES'),
  });
  const past = new Date(Date.now() - 60_000);
  expect(await explain(await insert({ state: 'scheduled', run_at: past }))).toMatchObject({
    reason: 'no-worker',
    since: past.toISOString(),
  });
  expect(await explain(await insert({ expires_at: past }))).toMatchObject({
    reason: 'expired',
    since: past.toISOString(),
    detail: expect.stringContaining('It was to be started by'),
  });
  expect(
    await explain(await insert({ state: 'running', owner: 4711, attempt: 1, started_at: past })),
  ).toMatchObject({
    state: 'running',
    reason: 'worker-lost',
    since: past.toISOString(),
  });
  expect((await api.get('/v1/jobs/99999999/explain')).status).toBe(404);
  expect((await api.get('/v1/jobs/nobody/explain')).status).toBe(404);
});

test('what people have switched off, and a crash of Postgres', async () => {
  const id = await insert();
  await api.post('/v1/queues/default/pause');
  const paused = await explain(id);
  expect(paused).toMatchObject({
    reason: 'queue-paused',
    remedy: 'Resume it (POST /v1/queues/default/resume).',
  });
  await api.post('/v1/queues/default/pause'); // again: since when it is paused does not change
  expect(await explain(id)).toEqual(paused);
  await api.post('/v1/queues/default/resume');

  await api.post('/v1/types/test-job/pause'); // the queue is not any more
  expect(await explain(id)).toMatchObject({
    reason: 'type-paused',
    detail: 'Its type "test-job" is paused.',
  });
  await api.post('/v1/types/test-job/resume');

  await fleet.sql((sql) => sql`truncate warren.claims_open`); // what crash recovery does
  expect(await explain(id)).toMatchObject({ reason: 'claims-closed' });
  await fleet.sql((sql) => sql`insert into warren.claims_open default values`);
  expect(await explain(id)).toMatchObject({ reason: 'no-worker' });
});

test('with a worker: what it does not serve or know, what waits for it, runs, is asked to stop and ends', async () => {
  await fleet.sql((sql) => sql`delete from warren.jobs`);
  const worker = await fleet.startWorker({ WORKER_QUEUES: 'default:1:2' });
  expect(await explain(await insert({ queue: 'reports' }))).toMatchObject({
    reason: 'no-worker',
    detail: '1 worker is there, and none serves its queue "reports".',
  });
  expect(await explain(await insert({ type: 'nobody-knows' }))).toMatchObject({
    reason: 'unknown-type',
    detail: expect.stringContaining('none knows its type "nobody-knows"'),
  });
  const unsent = { relay_at: new Date(Date.now() + HOUR_MS) }; // nobody sends it: as within two seconds of a commit
  const notSent = await insert(unsent);
  expect(await explain(notSent)).toMatchObject({ reason: 'not-published' });
  expect(await explain(notSent, cutOff)).toMatchObject({
    reason: 'broker-away',
    detail: expect.stringContaining('no connection'),
  });
  const sent = await insert({ ...unsent, published_at: new Date() }); // and lost
  expect(await explain(sent)).toMatchObject({
    reason: 'starts-next',
    detail: 'A worker can take it; 2 jobs go before it.',
  });
  await fleet.sql((sql) => sql`delete from warren.jobs where id in (${sent}, ${notSent})`);

  const [first, second] = [await fleet.enqueue(), await fleet.enqueue()];
  await Promise.all([fleet.until(first, 'running'), fleet.until(second, 'running')]);
  const last = await fleet.enqueue();
  expect(await explain(last)).toMatchObject({
    reason: 'workers-busy',
    detail: expect.stringMatching(/^The 1 worker of its queue "default" run 2 of at most 2 jobs/),
  });
  expect(await explain(first)).toMatchObject({
    state: 'running',
    reason: 'running',
    detail: 'It runs on warren-worker@test:1, attempt 1 of 5.',
    remedy: null,
  });
  // its worker has not heard of it yet, as where the notice is lost
  await fleet.sql((sql) => sql`update warren.jobs set cancel_requested_at = now() where id = ${first}`);
  expect(await explain(first)).toMatchObject({ state: 'running', reason: 'cancelling' });
  await api.post(`/v1/jobs/${first}/cancel`);
  await letGo(first, second, last);
  expect((await fleet.job(first)).state).toBe('cancelled');
  expect(await explain(second)).toMatchObject({ state: 'completed', reason: 'ended', remedy: null });

  const later = await fleet.enqueue({}, { delayMs: HOUR_MS });
  expect(await explain(later)).toMatchObject({ state: 'scheduled', reason: 'due-later' });
  const failed = await fleet.enqueue({}, { type: 'fails' });
  await fleet.until(failed, 'retryable');
  expect(await explain(failed)).toMatchObject({
    reason: 'retry-later',
    detail: expect.stringMatching(/^Attempt 1 of 5 has failed; the next one is at/),
  });
  const discarded = await fleet.enqueue({}, { type: 'fails', maxAttempts: 1 });
  await fleet.until(discarded, 'discarded');
  expect(await explain(discarded)).toMatchObject({
    reason: 'ended',
    detail: 'It was discarded after attempt 1.',
  });
  const expired = await insert({ expires_at: new Date(Date.now() - 1_000) });
  await fleet.until(expired, 'discarded');
  expect(await explain(expired)).toMatchObject({ state: 'discarded', reason: 'expired' });
  await fleet.stopWorker(worker);
});

test('gates: who has the place, the order, the turn', async () => {
  const worker = await fleet.startWorker({ WORKER_QUEUES: 'default:1:10' });
  const pairs = {
    limit: { limits: ['stripe'] },
    group: { group: 'acme' },
    order: { orderingKey: 'account-7' },
  };
  for (const [reason, gate] of Object.entries(pairs)) {
    const [first = '', second = '', third = ''] = await insertHeld(fleet, [gate, gate, gate]);
    await fleet.until(first, 'running');
    const told = {
      limit: 'The limit "stripe" lets 1 job run at once: 1 job has a place',
      group: 'Its group "acme" may have 1 at once, and has 1',
      order: `Job ${first}, which is running, has its ordering key "account-7"`,
    }[reason];
    expect(await explain(second)).toMatchObject({ state: 'held', reason, detail: `${told}.` });
    expect(await explain(third)).toMatchObject({ reason, detail: `${told}; 1 job goes before it.` });
    await api.post('/v1/queues/default/pause');
    expect(await explain(second)).toMatchObject({ reason: 'queue-paused' });
    await api.post('/v1/queues/default/resume');
    for (const id of [third, second, first]) void api.post(`/v1/jobs/${id}/cancel`);
    await letGo(first, second, third);
  }
  const [stops = '', stopped = ''] = await insertHeld(fleet, [{ orderingKey: 'b' }, { orderingKey: 'b' }]);
  await fleet.until(stops, 'running');
  await eventually(
    () => {
      for (const { reject } of running.splice(0)) reject(new Unrecoverable('no such account'));
      return fleet.job(stops);
    },
    ({ state }) => state === 'discarded',
  );
  expect(await explain(stopped)).toMatchObject({
    reason: 'order',
    detail: `Job ${stops}, which is discarded, has its ordering key "b".`,
    remedy: `The key stops at that job: retry, cancel or delete job ${stops}.`,
  });
  await api.post('/v1/queues/default/pause');
  const [resumed = ''] = await insertHeld(fleet, [{ limits: ['stripe'] }]);
  await eventually(
    () => fleet.sql((sql) => sql`select held_for as gate from warren.jobs where id = ${resumed}`),
    ([row]) => row?.['gate'] === 'pause:default',
  );
  await fleet.sql((sql) =>
    sql.begin(async (somebody) => {
      await somebody`select from warren.jobs where id = ${resumed} for update`; // as any statement that changes it
      await api.post('/v1/queues/default/resume');
      expect(await explain(resumed)).toMatchObject({ state: 'held', reason: 'due-now' });
    }),
  );
  await letGo(resumed);
  await fleet.stopWorker(worker);
});

test('each documented reason was seen', () => {
  const unseen = reasonNames.filter((reason) => !seen.has(reason));
  expect(unseen).toEqual([]);
});
