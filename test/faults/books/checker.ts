// Compares the three books and says what was lost, run twice or left over. Pure: books in, figures out.
import type { Run } from './effect-book.ts';
import type { SubmitLine } from './submit-book.ts';

/** A row of the product's table, read after the drain. */
export interface FinalJob {
  id: string;
  key: string;
  state: string;
  attempt: number;
  fence: number;
}

/** A completion that the product's database committed, as a trigger of ours saw it. */
export interface Acceptance {
  jobId: string;
  fence: number;
}

export interface Books {
  submits: readonly SubmitLine[];
  runs: readonly Run[];
  jobs: readonly FinalJob[];
  acceptances: readonly Acceptance[];
  /** When a process was killed, by pid, in monotonic milliseconds: its unended runs ended then. */
  ends: ReadonlyMap<number, number>;
}

export interface Expectations {
  /** Keys whose job may end otherwise than completed. */
  terminal?: ReadonlySet<string>;
  /** Keys of jobs that did not come through the load generator. */
  otherKeys?: ReadonlySet<string>;
}

export interface Figures {
  attempted: number;
  acknowledged: number;
  completed: number;
  lost: string[];
  ghosts: string[];
  duplicateJobs: string[];
  recovered: number;
  runsAfterSuccess: string[];
  /** Jobs whose committed completions are not exactly one. */
  wronglyAccepted: string[];
  extraRuns: number;
  overlaps: string[];
  /** Attempts charged beyond the starts of the job. */
  burned: string[];
  /** Jobs charged fewer attempts than starts, those left out that were killed too soon after their start for anybody to be told. */
  uncharged: string[];
  unfinished: string[];
  /** By job that was running in a killed process: from the end of the process to the next start. */
  takeoverMs: number[];
}

/** What a start may take to be told, in milliseconds: a process that is killed sooner may take it to the grave. */
const TOLD_MS = 100;
const ENDED = new Set(['completed', 'cancelled', 'discarded']);

export function checkBooks(books: Books, expectations: Expectations = {}): Figures {
  const { submits, runs, jobs, acceptances } = books;
  const attempted = new Set([
    ...submits.filter(({ phase }) => phase === 'invoke').map(({ key }) => key),
    ...(expectations.otherKeys ?? []),
  ]);
  const acknowledged = new Set([
    ...submits.filter(({ phase }) => phase === 'ok').map(({ key }) => key),
    ...(expectations.otherKeys ?? []),
  ]);
  const terminal = expectations.terminal ?? new Set();
  const isDone = ({ key, state }: FinalJob) =>
    state === 'completed' || (terminal.has(key) && ENDED.has(state));
  const done = new Set(jobs.filter(isDone).map(({ key }) => key));
  const runsByJob = Map.groupBy(runs, ({ jobId }) => jobId);
  const acceptancesByJob = Map.groupBy(acceptances, ({ jobId }) => jobId);
  return {
    attempted: attempted.size,
    acknowledged: acknowledged.size,
    completed: jobs.filter(({ state }) => state === 'completed').length,
    lost: [...acknowledged].filter((key) => !done.has(key)),
    ghosts: [...new Set([...jobs, ...runs].map(({ key }) => key))].filter((key) => !attempted.has(key)),
    duplicateJobs: [...Map.groupBy(jobs, ({ key }) => key)]
      .filter(([, same]) => same.length > 1)
      .map(([key]) => key),
    recovered: [...done].filter((key) => !acknowledged.has(key)).length,
    runsAfterSuccess: findRunsAfterSuccess(runs, acceptancesByJob),
    wronglyAccepted: jobs
      .filter(({ id, state }) => (acceptancesByJob.get(id)?.length ?? 0) !== (state === 'completed' ? 1 : 0))
      .map(({ id }) => id),
    extraRuns: runs.length - runsByJob.size,
    overlaps: findOverlaps(runsByJob, books.ends),
    burned: jobs.filter(({ id, attempt }) => attempt > (runsByJob.get(id)?.length ?? 0)).map(({ id }) => id),
    uncharged: findUncharged(jobs, runsByJob, books.ends),
    unfinished: jobs.filter(({ state }) => !ENDED.has(state)).map(({ id }) => id),
    takeoverMs: findTakeovers(runsByJob, books.ends),
  };
}

/** Ordered by the fence that the claim gave out, never by a clock. */
function findRunsAfterSuccess(runs: readonly Run[], acceptances: Map<string, Acceptance[]>): string[] {
  return runs
    .filter(({ jobId, fence }) => acceptances.get(jobId)?.some((accepted) => fence > accepted.fence))
    .map(({ jobId, fence }) => `${jobId}/${fence}`);
}

function findUncharged(
  jobs: readonly FinalJob[],
  runsByJob: Map<string, Run[]>,
  ends: ReadonlyMap<number, number>,
): string[] {
  const isTold = ({ endedAt, startedAt, pid }: Run) =>
    endedAt !== undefined || (ends.get(pid) ?? Infinity) - startedAt > TOLD_MS;
  return jobs
    .filter(({ id, attempt }) => attempt < (runsByJob.get(id) ?? []).filter(isTold).length)
    .map(({ id }) => id);
}

function endOf({ endedAt, pid }: Run, ends: ReadonlyMap<number, number>): number | undefined {
  return endedAt ?? ends.get(pid);
}

/** A run whose end nobody knows (its handler never ends) counts as ended at once. */
function findOverlaps(runsByJob: Map<string, Run[]>, ends: ReadonlyMap<number, number>): string[] {
  const overlaps: string[] = [];
  for (const [jobId, runs] of runsByJob) {
    const sorted = runs.toSorted((a, b) => a.startedAt - b.startedAt);
    for (const [index, run] of sorted.entries()) {
      const end = endOf(run, ends) ?? run.startedAt;
      const later = sorted.slice(index + 1).filter(({ startedAt }) => startedAt < end);
      overlaps.push(...later.map(({ fence }) => `${jobId}/${run.fence}+${fence}`));
    }
  }
  return overlaps;
}

function findTakeovers(runsByJob: Map<string, Run[]>, ends: ReadonlyMap<number, number>): number[] {
  const takeovers: number[] = [];
  for (const runs of runsByJob.values()) {
    for (const run of runs) {
      const end = run.endedAt === undefined ? ends.get(run.pid) : undefined;
      if (end === undefined) continue;
      const next = runs.filter(({ fence }) => fence > run.fence).map(({ startedAt }) => startedAt);
      if (next.length > 0) takeovers.push(Math.max(0, Math.min(...next) - end));
    }
  }
  return takeovers;
}

/** The smallest value that at least `share` of the values do not exceed; undefined of none. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
