// One run of one contender: fire, wait until all that was promised is so, look what it has cost each process, and clean up.
import { percentile } from '../report/statistics.ts';
import { confirmed, readConfirmed } from '../stage/confirms.ts';
import type { Participants } from '../stage/processor-time.ts';
import {
  othersShare,
  processorTimeBetween,
  readMachineTime,
  readProcessorTime,
} from '../stage/processor-time.ts';
import type { Contender } from './contenders.ts';
import type { LoadGenerator } from './load.ts';
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
  const confirmedBefore = contender.publishesLater ? await readConfirmed(url) : 0;
  const machine = readMachineTime();
  const before = readProcessorTime(participants);
  const result = await load.fire({ url, requests, connections });
  const confirmedAt = contender.publishesLater
    ? await confirmed(url, confirmedBefore + result.completed)
    : result.endedAt;
  await settle(contender, settlement, result.completed);
  const endedAt = Math.max(result.endedAt, confirmedAt);
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

/**
 * Waits for what comes behind the confirms, so that its cost falls into the run that caused it: Warren's late mark or, where a worker runs, the last
 * record. Throws where fewer jobs are in the table than were answered: nothing else here would matter then.
 */
async function settle(
  { name, enqueues, publishesLater, worker }: Contender,
  settlement: Settlement,
  answered: number,
): Promise<void> {
  if (!enqueues) return;
  const jobs = await settlement.countJobs();
  if (jobs < answered) throw new Error(`${name}: ${answered} answers, but only ${jobs} jobs`);
  if (worker) await settlement.completed(answered);
  else if (publishesLater) await settlement.marked();
}
