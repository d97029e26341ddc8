// How many jobs a second one worker of 100 slots gets done, of a handler that returns at once and of one that waits for 10 ms.
// From the moment when a fifth of the jobs has ended (the worker's code is compiled by then) until the system itself holds no job any more: what is
// not recorded is not done.
import { setTimeout as delay } from 'node:timers/promises';
import { monotonicMs } from '../../stage/monotonic.ts';
import { readProcessorTime } from '../../stage/processor-time.ts';
import { rotate } from '../../stage/rotate.ts';
import type { Store } from '../contender.ts';
import type { ContenderFleet } from '../contender-fleet.ts';
import type { Tally } from '../programs/tally.ts';
import { readTally } from '../programs/tally.ts';

export interface WorkRun {
  jobs: number;
  perSecond: number;
  /** Of the worker's process, in microseconds of processor time per job. */
  cpuUs: number;
}

export interface WorkOptions {
  rounds: number;
  /** What a run takes, about. */
  seconds: number;
  concurrency: number;
  /** What the handler waits. */
  ms: number;
}

const WARM_UP_JOBS = 5_000;
const WARM_UP_SHARE = 0.2;
const MAX_JOBS = 100_000;
const RUN_TIMEOUT_MS = 90_000;
const LOOK_EVERY_MS = 10;

/** By contender. No worker may run. */
export async function measureWork(
  fleets: readonly ContenderFleet[],
  { rounds, seconds, concurrency, ms }: WorkOptions,
  log: (line: string) => void,
): Promise<Map<string, WorkRun[]>> {
  const results = new Map<string, WorkRun[]>(fleets.map(({ contender }) => [contender.name, []]));
  const jobs = new Map<ContenderFleet, number>();
  for (const fleet of fleets) {
    const cold = await burnDown(fleet, { jobs: WARM_UP_JOBS, concurrency, ms });
    const longer = Math.min(MAX_JOBS, Math.ceil(Math.max(WARM_UP_JOBS, cold.perSecond * seconds)));
    const { perSecond } = await burnDown(fleet, { jobs: longer, concurrency, ms });
    jobs.set(fleet, Math.min(MAX_JOBS, Math.ceil(perSecond * seconds)));
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const fleet of rotate(fleets, round)) {
      const run = await burnDown(fleet, { jobs: jobs.get(fleet) ?? 0, concurrency, ms });
      results.get(fleet.contender.name)?.push(run);
      log(
        `work of ${ms} ms, round ${round + 1}: ${fleet.contender.title}, ${Math.round(run.perSecond)} per second`,
      );
    }
  }
  return results;
}

async function burnDown(
  fleet: ContenderFleet,
  { jobs, concurrency, ms }: { jobs: number; concurrency: number; ms: number },
): Promise<WorkRun> {
  return await fleet.store(async (store) => {
    await store.empty();
    await store.enqueueMany(Array.from({ length: jobs }, (_, index) => ({ key: `k${index}`, ms })));
    fleet.clearNotes();
    const worker = await fleet.startWorker(concurrency);
    try {
      const warm = await waitForEnds(fleet, Math.floor(jobs * WARM_UP_SHARE));
      await waitForEnds(fleet, jobs);
      await waitForEmpty(store, fleet.contender.title);
      const seconds = (monotonicMs() - warm.at) / 1_000;
      const cpuUs = ((readProcessorTime({ worker: worker.pid })['worker'] ?? 0) / jobs) * 1_000_000;
      return { jobs, perSecond: (jobs - warm.ended) / seconds, cpuUs };
    } finally {
      await fleet.kill(worker);
      await store.empty();
    }
  });
}

/** Resolves with the first tally that has so many. */
async function waitForEnds({ book, contender }: ContenderFleet, jobs: number): Promise<Tally> {
  const deadline = monotonicMs() + RUN_TIMEOUT_MS;
  for (;;) {
    const tally = readTally(book);
    if (tally !== undefined && tally.ended >= jobs) return tally;
    if (monotonicMs() > deadline)
      throw new Error(`${contender.title}: only ${tally?.ended ?? 0} of ${jobs} jobs have ended`);
    await delay(LOOK_EVERY_MS);
  }
}

async function waitForEmpty(store: Store, title: string): Promise<void> {
  const deadline = monotonicMs() + RUN_TIMEOUT_MS;
  while ((await store.count()) > 0) {
    if (monotonicMs() > deadline) throw new Error(`${title}: jobs have ended but are not recorded`);
    await delay(LOOK_EVERY_MS);
  }
}
