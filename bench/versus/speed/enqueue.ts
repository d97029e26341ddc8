// `/api/test/:id` of every contender, keep-alive, 100 connections: in turn, several rounds, in another order each time.
// The clock is the suite's own. Where the broker confirms behind the answer, it stops with the last confirm.
import { LoadGenerator } from '../../enqueue/load.ts';
import { percentile } from '../../report/statistics.ts';
import { confirmed, readConfirmed } from '../../stage/confirms.ts';
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
  /** The same of API, RabbitMQ and Postgres together; null where a Redis is in it, whose time nobody reads. */
  systemUs: number | null;
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
  const { contender, places, participants } = fleet;
  const { url } = fleet.api;
  const { settled } = contender;
  const already = settled === undefined ? 0 : await readConfirmed(url);
  const before = readProcessorTime(participants);
  const result = await load.fire({ url, requests, connections });
  const confirmedAt =
    settled === undefined ? result.endedAt : await confirmed(url, already + result.completed);
  await settled?.(places);
  const spent = processorTimeBetween(before, readProcessorTime(participants));
  const perRequest = (seconds: number) => (seconds / requests) * 1_000_000;
  const all = Object.values(spent).reduce((sum, seconds) => sum + seconds, 0);
  await fleet.store(async (store) => await checkAndEmpty(store, fleet, result.completed));
  return {
    requests,
    failed: result.failed,
    perSecond: result.completed / ((Math.max(result.endedAt, confirmedAt) - result.startedAt) / 1_000),
    p50Ms: percentile(result.latenciesMs, 50),
    p99Ms: percentile(result.latenciesMs, 99),
    cpuUs: perRequest(spent['api'] ?? 0),
    systemUs: contender.servers.includes('redis') ? null : perRequest(all),
  };
}

/** Whoever answered without having the job is not fast but wrong. */
async function checkAndEmpty(store: Store, { contender }: ContenderFleet, answered: number): Promise<void> {
  const held = await store.count();
  if (held < answered) throw new Error(`${contender.title}: ${answered} answers, but only ${held} jobs`);
  await store.empty();
}
