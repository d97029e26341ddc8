// What ran at the same time, by the effect book. Pure.
import type { Run } from './effect-book.ts';

/** From when to when, in monotonic milliseconds. */
export interface Span {
  from: number;
  to: number;
}

/** A run of a killed process ended with it. One whose end nobody knows counts as ended at once. */
export function spanOf({ startedAt, endedAt, pid }: Run, ends: ReadonlyMap<number, number>): Span {
  return { from: startedAt, to: Math.max(startedAt, endedAt ?? ends.get(pid) ?? startedAt) };
}

/** The largest number of spans that share a moment. One that begins where another ends does not share it. */
export function mostAtOnce(spans: readonly Span[]): number {
  const steps = spans
    .filter(({ from, to }) => to > from)
    .flatMap(({ from, to }) => [
      { at: from, by: 1 },
      { at: to, by: -1 },
    ])
    .toSorted((a, b) => a.at - b.at || a.by - b.by);
  let count = 0;
  let most = 0;
  for (const { by } of steps) {
    count += by;
    most = Math.max(most, count);
  }
  return most;
}
