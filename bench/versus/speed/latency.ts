// How long a job waits between the answer 202 and the first line of its handler, at 1 000 jobs a second, of every contender: one API, one worker of
// 100 slots, in turn. Both ends are read on the clock that all processes of the machine share.
import { setTimeout as delay } from 'node:timers/promises';
import { errorMessage } from '../../../src/shared/base/errors.ts';
import { percentile } from '../../report/statistics.ts';
import { monotonicMs } from '../../stage/monotonic.ts';
import { rotate } from '../../stage/rotate.ts';
import type { Sent } from '../../work/steady-load.ts';
import { sendSteadily } from '../../work/steady-load.ts';
import { QUEUE } from '../contender.ts';
import type { ContenderFleet } from '../contender-fleet.ts';

export interface LatencyRun {
  jobs: number;
  /** From the answer to the start; below 0 where the job started before the answer had come. Infinite where jobs were refused or not started. */
  p50Ms: number;
  p99Ms: number;
}

export interface LatencyOptions {
  rounds: number;
  seconds: number;
  perSecond: number;
  concurrency: number;
}

const WARM_UP = { perSecond: 500, seconds: 3 };
const DRAIN_MS = 60_000;
const LOOK_EVERY_MS = 100;

const FAILED: LatencyRun = { jobs: 0, p50Ms: Number.POSITIVE_INFINITY, p99Ms: Number.POSITIVE_INFINITY };

/** By contender. The APIs must run, and no worker. Who cannot keep up has failed his round, and plays the next. */
export async function measureLatency(
  fleets: readonly ContenderFleet[],
  { rounds, seconds, perSecond, concurrency }: LatencyOptions,
  log: (line: string) => void,
): Promise<Map<string, LatencyRun[]>> {
  const results = new Map<string, LatencyRun[]>(fleets.map(({ contender }) => [contender.name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (const fleet of rotate(fleets, round)) {
      fleet.clearNotes();
      const worker = await fleet.startWorker(concurrency);
      const note = (text: string) => log(`latency, round ${round + 1}: ${fleet.contender.title}, ${text}`);
      try {
        await follow(fleet, await send(fleet, `warm-up ${round}`, WARM_UP));
        const run = await follow(fleet, await send(fleet, `round ${round}`, { perSecond, seconds }));
        results.get(fleet.contender.name)?.push(run);
        note(`p50 ${run.p50Ms.toFixed(1)} ms, p99 ${run.p99Ms.toFixed(1)} ms`);
      } catch (error) {
        results.get(fleet.contender.name)?.push(FAILED);
        note(`failed: ${errorMessage(error)}`);
      } finally {
        await fleet.kill(worker);
        await fleet.store((store) => store.empty());
      }
    }
  }
  return results;
}

/** By key of the job. */
async function send(
  { api }: ContenderFleet,
  name: string,
  rate: { perSecond: number; seconds: number },
): Promise<Map<string, Sent>> {
  const key = (n: number) => `${name}, ${n}`;
  const sent = await sendSteadily({
    ...rate,
    url: api.url,
    body: (n) => ({ type: QUEUE, args: { key: key(n), ms: 0 } }),
  });
  return new Map(sent.map((each, n) => [key(n), each]));
}

/** Waits until every one of them has started. */
async function follow(fleet: ContenderFleet, sent: ReadonlyMap<string, Sent>): Promise<LatencyRun> {
  const deadline = monotonicMs() + DRAIN_MS;
  for (;;) {
    const startedAt = new Map(fleet.runs().map((run) => [run.key, run.startedAt]));
    const waits = [...sent].flatMap(([key, { answeredAt }]) => {
      const at = startedAt.get(key);
      return at === undefined ? [] : [at - answeredAt];
    });
    if (waits.length === sent.size)
      return { jobs: waits.length, p50Ms: percentile(waits, 50), p99Ms: percentile(waits, 99) };
    if (monotonicMs() > deadline)
      throw new Error(`${fleet.contender.title}: only ${waits.length} of ${sent.size} jobs have started`);
    await delay(LOOK_EVERY_MS);
  }
}
