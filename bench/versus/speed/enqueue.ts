// `/api/test/:id` of every contender, keep-alive, 100 connections: in turn, several rounds, in another order each time.
// The clock is the suite's own. Where the broker confirms behind the answer, it stops with the last confirm.
import { LoadGenerator } from '../../enqueue/load.ts';
import { percentile } from '../../report/statistics.ts';
import { monotonicMs } from '../../stage/monotonic.ts';
import { rotate } from '../../stage/rotate.ts';
import type { Store } from '../contender.ts';
import type { Stage } from '../stage.ts';

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
  stages: readonly Stage[],
  { rounds, seconds, connections }: EnqueueOptions,
  log: (line: string) => void,
): Promise<Map<string, EnqueueRun[]>> {
  using load = new LoadGenerator();
  const results = new Map<string, EnqueueRun[]>(stages.map(({ contender }) => [contender.name, []]));
  const requests = new Map<Stage, number>();
  for (const stage of stages) {
    const perSecond = await warmUp(stage, { load, connections });
    requests.set(stage, Math.ceil(perSecond * seconds));
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const stage of rotate(stages, round)) {
      const run = await fire(stage, { load, requests: requests.get(stage) ?? 0, connections });
      results.get(stage.contender.name)?.push(run);
      log(`enqueue, round ${round + 1}: ${stage.contender.title}, ${Math.round(run.perSecond)} per second`);
    }
  }
  return results;
}

/** Until the compilers have settled. Answers with the rate then. */
async function warmUp(
  stage: Stage,
  { load, connections }: { load: LoadGenerator; connections: number },
): Promise<number> {
  const until = monotonicMs() + WARM_UP_MS;
  let best = 0;
  do {
    const { perSecond } = await fire(stage, { load, requests: WARM_UP_REQUESTS, connections });
    best = Math.max(best, perSecond);
  } while (monotonicMs() < until);
  return best;
}

async function fire(
  stage: Stage,
  { load, requests, connections }: { load: LoadGenerator; requests: number; connections: number },
): Promise<EnqueueRun> {
  const watch = await stage.contender.watchBroker?.(stage.places);
  const cpuBefore = stage.api.cpuSeconds();
  const result = await load.fire({ url: stage.apiUrl, requests, connections });
  await watch?.until(result.completed);
  const endedAt = watch === undefined ? result.endedAt : monotonicMs();
  await watch?.settled();
  const cpuSeconds = stage.api.cpuSeconds() - cpuBefore;
  await watch?.close();
  await stage.store(async (store) => await checkAndEmpty(store, stage, result.completed));
  return {
    requests,
    failed: result.failed,
    perSecond: result.completed / ((endedAt - result.startedAt) / 1_000),
    p50Ms: percentile(result.latenciesMs, 50),
    p99Ms: percentile(result.latenciesMs, 99),
    cpuUs: (cpuSeconds / requests) * 1_000_000,
  };
}

/** Whoever answered without having the job is not fast but wrong. */
async function checkAndEmpty(store: Store, { contender }: Stage, answered: number): Promise<void> {
  const held = await store.count();
  if (held < answered) throw new Error(`${contender.title}: ${answered} answers, but only ${held} jobs`);
  await store.empty();
}
