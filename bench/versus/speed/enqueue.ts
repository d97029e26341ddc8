// `/api/test/:id` of every contender, keep-alive, 100 connections: in turn, several rounds, in another order each time.
// The clock is the suite's own. Where the broker confirms behind the answer, it stops with the last confirm.
import { LoadGenerator } from '../../enqueue/load.ts';
import { percentile } from '../../report/statistics.ts';
import { monotonicMs } from '../../stage/monotonic.ts';
import { processorTimeBetween, readProcessorTime } from '../../stage/processor-time.ts';
import { rotate } from '../../stage/rotate.ts';
import type { Store } from '../contender.ts';
import type { ContenderFleet } from '../contender-fleet.ts';

export interface EnqueueRun {
  requests: number;
  failed: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  /** Of the API's process, in microseconds of processor time. */
  cpuUs: number;
}

export interface EnqueueOptions {
  rounds: number;
  /** What a run takes, about. */
  seconds: number;
  connections: number;
}

const WARM_UP_REQUESTS = 3_000;
const WARM_UP_MS = 3_000;

/** By contender. The APIs must run. */
export async function measureEnqueue(
  fleets: readonly ContenderFleet[],
  { rounds, seconds, connections }: EnqueueOptions,
  log: (line: string) => void,
): Promise<Map<string, EnqueueRun[]>> {
  using load = new LoadGenerator();
  const results = new Map<string, EnqueueRun[]>(fleets.map(({ contender }) => [contender.name, []]));
  const requests = new Map<ContenderFleet, number>();
  for (const fleet of fleets) {
    const perSecond = await warmUp(fleet, { load, connections });
    requests.set(fleet, Math.ceil(perSecond * seconds));
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const fleet of rotate(fleets, round)) {
      const run = await fire(fleet, { load, requests: requests.get(fleet) ?? 0, connections });
      results.get(fleet.contender.name)?.push(run);
      log(`enqueue, round ${round + 1}: ${fleet.contender.title}, ${Math.round(run.perSecond)} per second`);
    }
  }
  return results;
}

/** Until the compilers have settled. Answers with the rate then. */
async function warmUp(
  fleet: ContenderFleet,
  { load, connections }: { load: LoadGenerator; connections: number },
): Promise<number> {
  const until = monotonicMs() + WARM_UP_MS;
  let best = 0;
  do {
    const { perSecond } = await fire(fleet, { load, requests: WARM_UP_REQUESTS, connections });
    best = Math.max(best, perSecond);
  } while (monotonicMs() < until);
  return best;
}

async function fire(
  fleet: ContenderFleet,
  { load, requests, connections }: { load: LoadGenerator; requests: number; connections: number },
): Promise<EnqueueRun> {
  const watch = await fleet.contender.watchBroker?.(fleet.places);
  const participants = { api: fleet.api.process.pid };
  const before = readProcessorTime(participants);
  const result = await load.fire({ url: fleet.api.url, requests, connections });
  await watch?.until(result.completed);
  const endedAt = watch === undefined ? result.endedAt : monotonicMs();
  await watch?.settled();
  const { api: seconds = 0 } = processorTimeBetween(before, readProcessorTime(participants));
  await watch?.close();
  await fleet.store(async (store) => await checkAndEmpty(store, fleet, result.completed));
  return {
    requests,
    failed: result.failed,
    perSecond: result.completed / ((endedAt - result.startedAt) / 1_000),
    p50Ms: percentile(result.latenciesMs, 50),
    p99Ms: percentile(result.latenciesMs, 99),
    cpuUs: (seconds / requests) * 1_000_000,
  };
}

/** Whoever answered without having the job is not fast but wrong. */
async function checkAndEmpty(store: Store, { contender }: ContenderFleet, answered: number): Promise<void> {
  const held = await store.count();
  if (held < answered) throw new Error(`${contender.title}: ${answered} answers, but only ${held} jobs`);
  await store.empty();
}
