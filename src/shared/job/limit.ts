/**
 * Limits as an application defines them, and what a job names of them. Pure.
 *
 * A limit holds for the whole database: at most so many jobs at once, or so many starts in a time, whichever workers run them.
 */

/** So many starts in so many milliseconds, evenly. */
export interface Rate {
  count: number;
  perMs: number;
  /** How many may start at once after a pause. Defaults to what a tenth of a second lets through, at least 1. */
  burst?: number | undefined;
}

/** One of the two, or both. */
export interface Limit {
  /** At most so many jobs at once. Defaults to any number. */
  concurrency?: number | undefined;
  /** Defaults to any number. */
  rate?: Rate | undefined;
}

export const MAX_PLACES = 1_000_000;
/** 24 days: a column of type int holds it. */
export const MAX_RATE_MS = 2_073_600_000;
/** `stripe`, or `stripe:customer-7` for the places of one key. */
const REFERENCE = /^([a-z0-9_-]{1,60})(?::.{1,200})?$/u;

/** The name in `name` or `name:key`; undefined where it is neither. */
export function limitName(reference: string): string | undefined {
  return REFERENCE.exec(reference)?.[1];
}

/** With what it leaves out. */
export function burstOf({ count, perMs, burst }: Rate): number {
  return burst ?? Math.max(1, Math.ceil((count / perMs) * 100));
}

/** What is wrong with it, in words that follow its name. */
export function findLimitProblems({ concurrency, rate }: Limit): string[] {
  const problems: string[] = [];
  if (concurrency === undefined && rate === undefined) problems.push('needs a concurrency or a rate');
  const isWithin = (value: number | undefined, max: number) =>
    value === undefined || (Number.isInteger(value) && value >= 1 && value <= max);
  if (!isWithin(concurrency, MAX_PLACES)) problems.push(`must have a concurrency of 1 to ${MAX_PLACES}`);
  if (rate !== undefined && !(isWithin(rate.count, MAX_PLACES) && isWithin(rate.burst, MAX_PLACES)))
    problems.push(`must have a count and a burst of 1 to ${MAX_PLACES}`);
  if (!isWithin(rate?.perMs, MAX_RATE_MS)) problems.push(`must have a perMs of 1 to ${MAX_RATE_MS}`);
  return problems;
}
