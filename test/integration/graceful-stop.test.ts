import { once } from 'node:events';
import { expect, test } from 'vitest';
import { readConfig } from '../../src/shared/settings/config.ts';
import { Worker } from '../../src/worker/worker.ts';
import { readyCount, waitingIds } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { asRole } from '../support/servers.ts';
import { testApp } from '../support/test-app.ts';

/** Waits until messages of all these jobs are in the queue: the last are published after their commit, and the broker takes back by and by what a worker had. */
async function untilReady(fleet: Fleet, jobIds: readonly string[]): Promise<void> {
  await eventually(
    async () => new Set(jobIds).difference(new Set(await waitingIds(fleet.vhost, 'warren.default'))).size,
    (missing) => missing === 0,
  );
}

test('a worker that is stopped finishes what runs and starts nothing more; what it had prefetched is not charged', async () => {
  const starts = new Map<string, number>();
  const aborted: boolean[] = [];
  const release = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(async (_args, { jobId, signal }) => {
      starts.set(jobId, (starts.get(jobId) ?? 0) + 1);
      await release.promise;
      aborted.push(signal.aborted);
    }),
  );
  const worker = await fleet.startWorker({ WORKER_QUEUES: 'default:2:5' });
  using started = listen(fleet.events, 'attempt.started');
  const ids = await fleet.enqueuer.enqueueBatch(
    Array.from({ length: 40 }, () => ({ definition: testJob(async () => {}), args: {} })),
  );
  await started.count(10);
  const stopped = fleet.stopWorker(worker);
  release.resolve();
  await stopped;
  expect(aborted).toEqual(Array.from({ length: 10 }, () => false));
  expect(starts.size).toBe(10);
  const jobs = await Promise.all(ids.map((id) => fleet.job(id)));
  for (const { id, state, attempt } of jobs)
    expect({ state, attempt }).toEqual(
      starts.has(id) ? { state: 'completed', attempt: 1 } : { state: 'available', attempt: 0 },
    );
  const waiting = ids.filter((id) => !starts.has(id));
  expect(waiting).toHaveLength(30);
  await untilReady(fleet, waiting);

  await fleet.startWorker();
  for (const id of ids)
    expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
  expect([...starts.values()]).toEqual(ids.map(() => 1));
});

test('the acknowledgements of many quick jobs reach the broker before the worker is gone', async () => {
  let runs = 0;
  await using fleet = await startFleet(
    testJob(async () => {
      runs += 1;
    }),
  );
  const ids = await fleet.enqueuer.enqueueBatch(
    Array.from({ length: 300 }, () => ({ definition: testJob(async () => {}), args: {} })),
  );
  await fleet.publisher.stop(); // all is published
  using finished = listen(fleet.events, 'attempt.finished');
  const worker = await fleet.startWorker({ WORKER_QUEUES: 'default:2:200' });
  await finished.count(300);
  await fleet.stopWorker(worker);
  expect(await readyCount(fleet.vhost, 'warren.default')).toBe(0);
  for (const id of ids) expect(await fleet.job(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(runs).toBe(300);
});

test('a worker that is stopped in the middle of a rush leaves every job either done or waiting, none twice', async () => {
  const starts = new Map<string, number>();
  await using fleet = await startFleet(
    testJob(async (_args, { jobId }) => {
      starts.set(jobId, (starts.get(jobId) ?? 0) + 1);
      await new Promise(setImmediate);
    }),
  );
  const ids = await fleet.enqueuer.enqueueBatch(
    Array.from({ length: 1_500 }, () => ({ definition: testJob(async () => {}), args: {} })),
  );
  using finished = listen(fleet.events, 'attempt.finished');
  const worker = await fleet.startWorker({ WORKER_QUEUES: 'default:5:20' });
  await finished.count(200);
  const stopped = fleet.stopWorker(worker);
  const startedByThen = starts.size;
  await stopped;
  expect(starts.size).toBe(startedByThen);
  const [counts] = await fleet.sql(
    (sql) => sql`
      select count(*) filter (where state = 'completed')::int as completed,
        count(*) filter (where state = 'available' and attempt = 0)::int as waiting from warren.jobs`,
  );
  expect(counts?.['completed']).toBe(starts.size);
  expect(counts?.['completed'] + counts?.['waiting']).toBe(ids.length);
  await untilReady(
    fleet,
    ids.filter((id) => !starts.has(id)),
  );
  await fleet.startWorker();
  for (const id of ids)
    expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
  expect(starts.size).toBe(ids.length);
  expect(new Set(starts.values())).toEqual(new Set([1]));
});

test('a job that is still running at the end of the drain time is aborted, handed back uncharged, and runs elsewhere', async () => {
  const reasons: unknown[] = [];
  let runs = 0;
  await using fleet = await startFleet(
    testJob(async (_args, { signal }) => {
      runs += 1;
      if (runs > 1) return 'elsewhere';
      await once(signal, 'abort');
      reasons.push(signal.reason);
      throw new Error('interrupted');
    }),
  );
  const worker = await fleet.startWorker({ DRAIN_TIMEOUT_MS: '50' });
  const id = await fleet.enqueue();
  await fleet.until(id, 'running');
  await fleet.stopWorker(worker);
  expect(await fleet.job(id)).toMatchObject({ state: 'available', attempt: 0, errors: [], finishedAt: null });
  expect(reasons).toEqual(['drain']);
  await untilReady(fleet, [id]);
  await fleet.startWorker();
  expect(await fleet.until(id)).toMatchObject({
    state: 'completed',
    attempt: 1,
    output: 'elsewhere',
    errors: [],
  });
});

test('a handler that ignores the abort does not hold the worker up, and its job runs elsewhere', async () => {
  let runs = 0;
  const release = Promise.withResolvers<void>();
  await using fleet = await startFleet(
    testJob(async () => {
      runs += 1;
      if (runs === 1) await release.promise;
      return runs;
    }),
  );
  const worker = await fleet.startWorker({ DRAIN_TIMEOUT_MS: '0' });
  const id = await fleet.enqueue();
  await fleet.until(id, 'running');
  await fleet.stopWorker(worker);
  await fleet.startWorker();
  expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, output: 2 });
  release.resolve();
});

test('a worker that cannot reach RabbitMQ does not wait for it when it is stopped', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const worker = new Worker({
    events: fleet.events,
    config: readConfig('worker', testApp(), {
      DATABASE_URL: asRole(fleet.testDatabase.url, 'worker'),
      AMQP_URL: 'amqp://127.0.0.1:1',
    }),
    name: 'warren-worker@test:1',
    app: testApp(),
  });
  using lost = listen(fleet.events, 'consumer.lost');
  await worker.start(new AbortController().signal);
  expect((await worker.checks())['rabbitmq']).toMatchObject({ ok: false });
  await worker.stop();
  expect(lost.all).toEqual([]);
});
