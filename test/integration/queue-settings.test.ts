import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { setQueue } from '../../src/shared/postgres/statements/queues.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

const set = (fleet: Fleet, settings: Parameters<typeof setQueue>[2]) =>
  fleet.database.query((sql) => setQueue(sql, 'default', settings));

/** Jobs that stay until they are released, one by one or all from now on. */
function gate() {
  const waiting: (() => void)[] = [];
  let running = 0;
  let runs = 0;
  let isOpen = false;
  return {
    running: () => running,
    runs: () => runs,
    release: (count: number) => {
      for (const go of waiting.splice(0, count)) go();
    },
    open: () => {
      isOpen = true;
      for (const go of waiting.splice(0)) go();
    },
    job: testJob(async () => {
      running += 1;
      runs += 1;
      const { promise, resolve } = Promise.withResolvers<void>();
      if (isOpen) resolve();
      else waiting.push(resolve);
      await promise;
      running -= 1;
    }),
  };
}

/** As the broker has them, which is what its panel shows: the prefetch of each consumer of the queue. */
async function untilPrefetches(fleet: Fleet, expected: readonly number[]): Promise<void> {
  const found = await eventually(
    async () => {
      const consumers = await fleet.vhost.management.consumers();
      return consumers
        .filter(
          ({ queue, channel_details: { connection_name } }) =>
            queue.name === 'warren.default' && connection_name !== undefined,
        )
        .map(({ prefetch_count: prefetch }) => prefetch);
    },
    (prefetches) => JSON.stringify(prefetches) === JSON.stringify(expected),
  );
  expect(found).toEqual(expected);
}

const untilRunning = async (jobs: ReturnType<typeof gate>, count: number) => {
  await eventually(
    async () => jobs.running(),
    (running) => running === count,
  );
};

test('what is set for a queue holds in every worker at once, and what was running goes on; each job runs once', async () => {
  const jobs = gate();
  await using fleet = await startFleet(jobs.job);
  await fleet.startWorker({ WORKER_QUEUES: 'default:2:1' });
  await fleet.startWorker({ WORKER_QUEUES: 'default:2:1' });
  const ids = await Promise.all(Array.from({ length: 30 }, () => fleet.enqueue()));
  await untilRunning(jobs, 4);

  await set(fleet, { channels: 3, prefetch: 2 });
  await untilRunning(jobs, 12);
  await untilPrefetches(fleet, [2, 2, 2, 2, 2, 2]);

  await set(fleet, { channels: 1, prefetch: 1 });
  await untilPrefetches(fleet, [1, 1]);
  expect(jobs.running()).toBe(12);
  jobs.release(12); // all that run: whoever of them a worker has, it has one slot then
  await eventually(
    async () => jobs.runs(),
    (runs) => runs === 14,
  );
  await untilRunning(jobs, 2);
  jobs.open();
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(jobs.runs()).toBe(30);
  expect(await set(fleet, { channels: null })).toEqual({
    name: 'default',
    paused: false,
    channels: null,
    prefetch: 1,
    maxDepth: null,
  });
  await set(fleet, { prefetch: null });
  await untilPrefetches(fleet, [1, 1, 1, 1]);
});

test('a worker that has heard no notice reads what is set with its next beat', async () => {
  const jobs = gate();
  await using fleet = await startFleet(jobs.job);
  await fleet.startWorker({ WORKER_QUEUES: 'default:1:1' });
  const ids = await Promise.all(Array.from({ length: 3 }, () => fleet.enqueue()));
  await untilRunning(jobs, 1);
  await fleet.sql((sql) => sql`update warren.queues set prefetch = 3 where name = 'default'`);
  await untilRunning(jobs, 3);
  jobs.release(3);
  for (const id of ids) await fleet.until(id, 'completed');
});

test('a worker that starts has what is set, and shrinking a paused queue leaves it paused', async () => {
  const jobs = gate();
  await using fleet = await startFleet(jobs.job);
  await set(fleet, { channels: 2, prefetch: 2 });
  await fleet.startWorker({ WORKER_QUEUES: 'default:1:1' });
  const ids = await Promise.all(Array.from({ length: 4 }, () => fleet.enqueue()));
  await untilRunning(jobs, 4);
  await fleet.sql((sql) => sql`update warren.queues set paused = true where name = 'default'`);
  await set(fleet, { channels: 1 });
  await untilPrefetches(fleet, []);
  jobs.release(4);
  for (const id of ids) await fleet.until(id, 'completed');
});

test('settings that change all the time, while jobs come and run, cost no consumer its channel', async () => {
  await using fleet = await startFleet(testJob(async () => await delay(5)));
  using lost = listen(fleet.events, 'consumer.lost');
  using ready = listen(fleet.events, 'consumer.ready');
  await fleet.startWorker({ WORKER_QUEUES: 'default:3:5' });
  const ids: string[] = [];
  for (let n = 0; n < 200; n += 1) {
    await set(fleet, { channels: 1 + (n % 5), prefetch: 1 + (n % 20) });
    ids.push(...(await Promise.all([fleet.enqueue(), fleet.enqueue(), fleet.enqueue(), fleet.enqueue()])));
  }
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(ready.all.length).toBeGreaterThan(10);
  expect(lost.all).toEqual([]);
});
