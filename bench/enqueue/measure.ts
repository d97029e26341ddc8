// One run of one contender: fire, wait until all that was promised is so, look what it has cost each process, and clean up.
import { waitUntil } from '../../dev/wait-until.ts';
import { percentile } from '../report/statistics.ts';
import { monotonicMs } from '../stage/monotonic.ts';
import type { Participants } from '../stage/processor-time.ts';
import {
  othersShare,
  processorTimeBetween,
  readMachineTime,
  readProcessorTime,
} from '../stage/processor-time.ts';
import type { Contender } from './contenders.ts';
import type { LoadGenerator, LoadResult } from './load.ts';
import type { Settlement } from './settlement.ts';

export const PERCENTILES = [50, 66, 75, 80, 90, 95, 98, 99, 100];

export interface Run {
  requests: number;
  connections: number;
  failed: number;
  /** From the first request until everything was committed and confirmed. */
  seconds: number;
  /** The same, until the last answer. */
  answeredSeconds: number;
  perSecond: number;
  meanMs: number;
  percentilesMs: Readonly<Record<number, number>>;
  /** Microseconds of processor time per request, by process. */
  processorUs: Readonly<Record<string, number>>;
  /** The share of the processors that processes of others have taken meanwhile. */
  othersShare: number;
}

export interface RunOptions {
  contender: Contender;
  url: string;
  participants: Participants;
  requests: number;
  connections: number;
}

export async function measure(
  { load, settlement }: { load: LoadGenerator; settlement: Settlement },
  { contender, url, participants, requests, connections }: RunOptions,
): Promise<Run> {
  const confirmedBefore = contender.worker ? await readConfirmed(url) : 0;
  const machine = readMachineTime();
  const before = readProcessorTime(participants);
  const result = await load.fire({ url, requests, connections });
  const endedAt = contender.worker
    ? await settleWithWorker(settlement, { url, confirmed: confirmedBefore + result.completed, result })
    : await settle(contender, settlement, result);
  const spent = processorTimeBetween(before, readProcessorTime(participants));
  const others = othersShare(machine, readMachineTime());
  await settlement.reset();
  const seconds = (endedAt - result.startedAt) / 1_000;
  const { latenciesMs } = result;
  return {
    requests,
    connections,
    failed: result.failed,
    seconds,
    answeredSeconds: (result.endedAt - result.startedAt) / 1_000,
    perSecond: result.completed / seconds,
    meanMs: latenciesMs.reduce((sum, latency) => sum + latency, 0) / latenciesMs.length,
    percentilesMs: Object.fromEntries(
      PERCENTILES.map((percent) => [percent, percentile(latenciesMs, percent)]),
    ),
    othersShare: others,
    processorUs: Object.fromEntries(
      Object.entries(spent).map(([name, used]) => [name, (used / requests) * 1_000_000]),
    ),
  };
}

/** Returns when the clock stops. Throws where fewer jobs are in the table than were answered: nothing else here would matter then. */
async function settle(
  { name, enqueues, publishesLater }: Contender,
  settlement: Settlement,
  { completed, endedAt }: LoadResult,
): Promise<number> {
  if (!enqueues) return endedAt;
  const confirmedAt = publishesLater ? await settlement.confirmed(completed) : endedAt;
  const jobs = await settlement.countJobs();
  if (jobs < completed) throw new Error(`${name}: ${completed} answers, but only ${jobs} jobs`);
  if (publishesLater) await settlement.marked();
  return confirmedAt;
}

/** The queue's depth tells nothing while it is consumed: the API's own count of confirms does. Its cost until the last job is done counts. */
async function settleWithWorker(
  settlement: Settlement,
  { url, confirmed, result }: { url: string; confirmed: number; result: LoadResult },
): Promise<number> {
  const check = async () => ((await readConfirmed(url)) >= confirmed ? monotonicMs() : undefined);
  const confirmedAt = await waitUntil({ what: 'the confirms', check, timeoutMs: 30_000, intervalMs: 5 });
  await settlement.completed(result.completed);
  return Math.max(result.endedAt, confirmedAt);
}

async function readConfirmed(url: string): Promise<number> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) });
  return Number(/^warren_publishes_confirmed_total (\d+)/m.exec(await response.text())?.[1] ?? 0);
}
