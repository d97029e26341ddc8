// What became of the accepted jobs, from the client's book, the handlers' book and the contender's own. Pure.
import type { Run } from '../programs/effect-book.ts';

/** One job that was asked for, and what the client heard. */
export interface Submit {
  key: string;
  /** Monotonic milliseconds. */
  at: number;
  outcome: 'accepted' | 'refused' | 'unanswered';
  /** Until the answer, or until nobody waited for it any more. */
  ms: number;
}

export interface Balance {
  accepted: number;
  /** Accepted, has never run to its end, and the system does not hold it any more. */
  lost: number;
  /** Accepted, has not run to its end; the system still holds it when the observation ends. */
  stuck: number;
  /** Starts beyond the first of each job. */
  extraRuns: number;
  /** Jobs that were started again although a handler of theirs had run to its end. */
  startedAfterEnd: number;
  /** Jobs of which two runs were alive at once. */
  overlapping: number;
}

export interface BalanceInput {
  submits: readonly Submit[];
  runs: readonly Run[];
  /** Keys that the system holds. */
  held: ReadonlySet<string>;
  /** When a process was killed, by pid. */
  ends: ReadonlyMap<number, number>;
}

export function strikeBalance({ submits, runs, held, ends }: BalanceInput): Balance {
  const accepted = submits.filter(({ outcome }) => outcome === 'accepted').map(({ key }) => key);
  const ended = new Set(runs.filter(({ endedAt }) => endedAt !== undefined).map(({ key }) => key));
  const open = accepted.filter((key) => !ended.has(key));
  const byKey = [...Map.groupBy(runs, ({ key }) => key).values()].map((same) =>
    same.toSorted((one, other) => one.startedAt - other.startedAt),
  );
  return {
    accepted: accepted.length,
    lost: open.filter((key) => !held.has(key)).length,
    stuck: open.filter((key) => held.has(key)).length,
    extraRuns: runs.length - byKey.length,
    startedAfterEnd: byKey.filter(startsAfterItsEnd).length,
    overlapping: byKey.filter((same) => overlaps(same, ends)).length,
  };
}

function startsAfterItsEnd(sorted: readonly Run[]): boolean {
  return sorted.some(({ endedAt }) =>
    sorted.some((later) => endedAt !== undefined && later.startedAt > endedAt),
  );
}

function overlaps(sorted: readonly Run[], ends: ReadonlyMap<number, number>): boolean {
  return sorted.some(({ endedAt, pid, startedAt }, index) => {
    const end = endedAt ?? ends.get(pid) ?? Number.POSITIVE_INFINITY;
    return sorted.slice(index + 1).some((later) => later.startedAt >= startedAt && later.startedAt < end);
  });
}
