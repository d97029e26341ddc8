/**
 * What a job type may say of where its handlers run, and what is wrong with it. Pure; how they run there is the worker's.
 */
import type { IsolationLimits, JobDefinition } from './job.ts';

/** The least that Node needs to load an application, in megabytes. */
const MIN_MEMORY_MB = 32;
const MAX_MEMORY_MB = 1_048_576;
const MAX_CONCURRENCY = 100;
/** A day. */
const MAX_IDLE_MS = 86_400_000;
const MAX_NICENESS = 19;

type Isolated = Pick<JobDefinition, 'isolation' | 'isolationLimits'>;

/** Whether its handlers run in threads or processes of their own. */
export function isIsolated({ isolation }: Isolated): boolean {
  return isolation === 'thread' || isolation === 'process';
}

/** Each continues the sentence `job type "…"`. */
export function findIsolationProblems({ isolation, isolationLimits }: Isolated): string[] {
  if (!['inline', 'thread', 'process', undefined].includes(isolation))
    return [`has isolation "${isolation}": there are inline, thread and process`];
  if (isolationLimits === undefined) return [];
  if (isolation !== 'thread' && isolation !== 'process')
    return ['has isolationLimits, but runs inline: give it isolation thread or process'];
  return findBoundProblems(isolationLimits);
}

function findBoundProblems({
  concurrency = 1,
  memoryMb = MIN_MEMORY_MB,
  idleMs = 0,
  niceness = 0,
}: IsolationLimits): string[] {
  const bounds: [name: string, value: number, min: number, max: number][] = [
    ['concurrency', concurrency, 1, MAX_CONCURRENCY],
    ['memoryMb', memoryMb, MIN_MEMORY_MB, MAX_MEMORY_MB],
    ['idleMs', idleMs, 0, MAX_IDLE_MS],
    ['niceness', niceness, 0, MAX_NICENESS],
  ];
  return bounds
    .filter(([, value, min, max]) => !Number.isInteger(value) || value < min || value > max)
    .map(([name, , min, max]) => `has a wrong isolationLimits.${name}: a whole number from ${min} to ${max}`);
}
