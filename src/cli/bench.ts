/**
 * What `warren bench` does: enqueues trivial jobs and runs them with a worker in this process, on somebody's own servers, in a queue of its own.
 */

import { z } from 'zod';
import { defineJob } from '#jobs/define.ts';
import { withDeadline } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import { defineApp } from '#shared/job/app.ts';
import { assertReachable } from '#shared/postgres/assert-reachable.ts';
import type { CommandTarget } from '#shared/settings/config.ts';
import { Warren } from '#warren.ts';

export interface BenchResult {
  jobs: number;
  enqueuedPerSecond: number;
  ranPerSecond: number;
  /** From the call to the start of the handler, of jobs that come one by one. */
  startMsMedian: number;
  startMs99th: number;
}

const QUEUE = 'warren-bench';
const BATCH = 1_000;
const SINGLES = 100;
const DEADLINE_MS = 300_000;
const KEPT_MS = 60_000;

/** Throws `Unavailable` where they have not run after five minutes. */
export async function bench(
  { databaseUrl, amqpUrl, settings }: CommandTarget & { kind: 'servers' },
  jobs: number,
): Promise<BenchResult> {
  let started = 0;
  let waiting = { count: 0, ...Promise.withResolvers<void>() };
  const trivial = defineJob({
    type: QUEUE,
    queue: QUEUE,
    args: z.strictObject({}),
    retention: { completed: KEPT_MS },
    perform: async () => {
      started += 1;
      if (started === waiting.count) waiting.resolve();
    },
  });
  const expect = (count: number) => {
    waiting = { count: started + count, ...Promise.withResolvers<void>() };
    const late = () =>
      new Unavailable('bench_late', `${count} jobs had not run after ${DEADLINE_MS / 1_000} s`);
    return withDeadline(waiting.promise, DEADLINE_MS, late);
  };
  const app = defineApp({ name: QUEUE, queues: { [QUEUE]: { channels: 5, prefetch: 20 } }, jobs: [trivial] });
  const { WORKER_QUEUES: _, ...others } = settings; // of another application
  await using warren = new Warren({ app, databaseUrl, amqpUrl, settings: others });
  await assertReachable(databaseUrl);
  await warren.start();

  const enqueueingAt = performance.now();
  for (let left = jobs; left > 0; left -= BATCH)
    await warren.enqueueMany(
      Array.from({ length: Math.min(left, BATCH) }, () => ({ job: trivial, args: {} })),
    );
  const enqueueMs = performance.now() - enqueueingAt;

  const ran = expect(jobs);
  const runningAt = performance.now();
  await using _worker = await warren.startWorker();
  await ran;
  const runMs = performance.now() - runningAt;

  const startMs: number[] = [];
  for (let single = 0; single < SINGLES; single += 1) {
    const begun = expect(1);
    const at = performance.now();
    await warren.enqueue(trivial, {});
    await begun;
    startMs.push(performance.now() - at);
  }
  startMs.sort((a, b) => a - b);
  return {
    jobs,
    enqueuedPerSecond: Math.round((jobs / enqueueMs) * 1_000),
    ranPerSecond: Math.round((jobs / runMs) * 1_000),
    startMsMedian: rounded(startMs[SINGLES / 2]),
    startMs99th: rounded(startMs[Math.ceil(0.99 * SINGLES) - 1]),
  };
}

function rounded(ms = 0): number {
  return Math.round(ms * 10) / 10;
}
