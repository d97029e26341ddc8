// Limits: at most so many jobs at once across the fleet, whatever becomes of workers and jobs.
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, startFleetWith, testJob } from '../support/fleet.ts';
import { insertHeld, putLimits, untilCount } from '../support/held.ts';
import { startFile } from '../support/program.ts';

/** What a job takes: long enough for others to start beside it, were they let. In milliseconds. */
const WORK_MS = 20;

/** Counts handlers: how many run, and the most that ever ran, by what their arguments call `place`. */
class Places {
  readonly #running = new Map<string, number>();
  readonly most = new Map<string, number>();

  enter(place: string): void {
    const running = (this.#running.get(place) ?? 0) + 1;
    this.#running.set(place, running);
    this.most.set(place, Math.max(running, this.most.get(place) ?? 0));
  }

  leave(place: string): void {
    this.#running.set(place, (this.#running.get(place) ?? 0) - 1);
  }
}

function countingJob(places: Places, fails: (attempt: number) => boolean = () => false) {
  return testJob(async ({ place = '' }, { attempt }) => {
    places.enter(String(place));
    await delay(WORK_MS);
    places.leave(String(place));
    if (fails(attempt)) throw new Error('once more');
  });
}

test('no more jobs of a limit run at once than it has places, on several workers and through retries', async () => {
  const places = new Places();
  await using fleet = await startFleet(countingJob(places, (attempt) => attempt === 1));
  await using api = await startApi({ databaseUrl: fleet.testDatabase.url, amqpUrl: fleet.vhost.url });
  await api.put('/v1/limits/stripe', { concurrency: 3 });
  expect(await api.put('/v1/limits/stripe', { concurrency: 3, note: 'x'.repeat(1_024) })).toMatchObject({
    status: 413,
  });
  const { name, concurrency, rate } = (await api.get('/v1/limits/stripe')).body;
  expect(await api.put('/v1/limits/stripe', { name, concurrency, rate })).toMatchObject({ status: 200 });
  expect(await api.put('/v1/limits/other', { name, concurrency })).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '/name' }] },
  });
  await insertHeld(
    fleet,
    Array.from({ length: 100 }, () => ({ limits: ['stripe'] })),
  );
  await Promise.all([fleet.startWorker(), fleet.startWorker()]);
  await untilCount(fleet, 'completed', 100);
  expect(places.most.get('')).toBeLessThanOrEqual(3);
  const { body } = await api.get('/v1/limits');
  expect(body.limits).toMatchObject([{ name: 'stripe', concurrency: 3, rate: null, inUse: 0, waiting: 0 }]);
  await eventually(
    () => fleet.sql((sql) => sql`select from warren.passes`),
    (passes) => passes.length === 0,
  );
});

test('each key of a limit has places of its own, and a job counts against every limit that it names', async () => {
  const places = new Places();
  await using fleet = await startFleet(countingJob(places));
  await using api = await startApi({ databaseUrl: fleet.testDatabase.url, amqpUrl: fleet.vhost.url });
  await api.put('/v1/limits/customer', { concurrency: 1 });
  await api.put('/v1/limits/all', { concurrency: 2 });
  await insertHeld(
    fleet,
    ['a', 'b', 'c'].flatMap((place) =>
      Array.from({ length: 20 }, () => ({ limits: [`customer:${place}`, 'all'], args: { place } })),
    ),
  );
  await fleet.startWorker();
  await untilCount(fleet, 'completed', 60);
  expect([...places.most].toSorted()).toEqual([
    ['a', 1],
    ['b', 1],
    ['c', 1],
  ]);
});

test('a limit that nobody has defined is refused, over HTTP, in a batch and in a transaction', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const limits = ['stripe', 'unheard-of:7'];
  await using api = await startApi({ databaseUrl: fleet.testDatabase.url, amqpUrl: fleet.vhost.url });
  await api.put('/v1/limits/stripe', { concurrency: 1 });
  const refusal = {
    code: 'unknown_limit',
    issues: [{ pointer: '/limits', detail: 'there is no limit "unheard-of"' }],
  };
  await expect(fleet.enqueue({}, { limits })).rejects.toMatchObject(refusal);
  expect(await fleet.sql((sql) => sql`select from warren.jobs`)).toHaveLength(0);
  await fleet.startWorker();
  expect(await fleet.until(await fleet.enqueue({}, { limits: ['stripe'] }))).toMatchObject({
    state: 'completed',
    limits: ['stripe'],
  });
});

test('a limit of the definition holds until another is put, and again when that is deleted', async () => {
  await using fleet = await startFleetWith(
    { limits: { stripe: { concurrency: 4 } } },
    testJob(async () => {}),
  );
  await fleet.startWorker();
  await using api = await startApi({ databaseUrl: fleet.testDatabase.url, amqpUrl: fleet.vhost.url });
  const limit = async () => (await api.get('/v1/limits/stripe')).body;
  expect(await limit()).toMatchObject({ concurrency: 4, rate: null, origin: 'definition' });
  const rate = { count: 100, perMs: 1_000 };
  const put = await api.put('/v1/limits/stripe', { rate });
  expect(put.body).toMatchObject({
    concurrency: null,
    rate: { ...rate, burst: 10 },
    origin: 'run time',
  });
  expect((await api.delete('/v1/limits/stripe')).body).toMatchObject({
    concurrency: 4,
    origin: 'definition',
  });
  expect((await api.delete('/v1/limits/stripe')).status).toBe(404);
  expect((await api.put('/v1/limits/stripe', {})).status).toBe(422);
});

test('no window of time has more starts than the rate and its burst, however many jobs wait', async () => {
  await using fleet = await startFleetWith(
    { limits: { stripe: { rate: { count: 500, perMs: 1_000, burst: 20 } } } },
    testJob(async () => {}),
  );
  await Promise.all([fleet.startWorker(), fleet.startWorker()]);
  const jobs = Array.from({ length: 1_000 }, () => ({ limits: ['stripe'] }));
  await insertHeld(fleet, jobs);
  await untilCount(fleet, 'completed', jobs.length);
  const starts = await fleet.sql(
    (sql) =>
      sql`select extract(epoch from started_at)::float8 * 1000 as at from warren.jobs order by started_at`,
  );
  // a bucket of 20 that loses one every 2 ms, in milliseconds until it is empty
  let emptyAt = 0;
  let mostMs = 0;
  for (const { at } of starts) {
    emptyAt = Math.max(emptyAt, Number(at)) + 2;
    mostMs = Math.max(mostMs, emptyAt - Number(at));
  }
  expect(mostMs).toBeGreaterThan(2);
  expect(mostMs).toBeLessThanOrEqual(40.01);
});

test('a job whose worker is killed takes its place again before others get it, and leaves it when it ends', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await putLimits(fleet, 'stripe'); // of one place
  const env = { ...fleet.environment('worker') };
  await using first = await startFile('test/support/crash-worker.ts', env);
  await first.waitForLog('ready');
  const [stuck = ''] = await insertHeld(fleet, [{ limits: ['stripe'] }]);
  await first.waitForLog('started');
  const other = { limits: ['stripe'], args: { ends: true } };
  const others = await insertHeld(fleet, [other, other]);
  const states = async () => (await Promise.all(others.map((id) => fleet.job(id)))).map(({ state }) => state);
  await using second = await startFile('test/support/crash-worker.ts', env);
  await second.waitForLog('ready');
  first.signal('SIGKILL');
  await second.waitForLog(({ msg, jobId }) => msg === 'started' && jobId === stuck);
  expect(await states()).toEqual(['held', 'held']);
  await using third = await startFile('test/support/crash-worker.ts', env);
  await third.waitForLog('ready');
  second.signal('SIGKILL'); // the job has crashed twice then, and nowhere to run
  expect(await fleet.until(stuck)).toMatchObject({ state: 'discarded' });
  for (const id of others) expect(await fleet.until(id)).toMatchObject({ state: 'completed' });
});

test('a plain job passes no gate: nothing of it is left where the passes are', async () => {
  await using fleet = await startFleetWith(
    { limits: { stripe: { concurrency: 1 } } },
    testJob(async () => {}),
  );
  await fleet.startWorker();
  const plain = await fleet.until(await fleet.enqueue());
  expect(plain).toMatchObject({ state: 'completed', limits: [], group: null, orderingKey: null });
  const [row] = await fleet.sql((sql) => sql`select held_for, held_rank from warren.jobs`);
  expect(row).toMatchObject({ held_for: null, held_rank: null });
  expect(
    await fleet.sql((sql) => sql`select gate from warren.passes union all select gate from warren.gates`),
  ).toEqual([]);
});
