/**
 * How long the pruner rests after a step. Pure.
 *
 * A fifth of the time is enough while jobs come more slowly than that deletes them. On a busy machine, or with an archive, it may not be, and the table
 * would grow without end: then it works more, half of the time at most.
 */

/** The rest is so many times as long as the step took. */
const MOST_REST = 4;
const LEAST_REST = 1;
const MIN_REST_MS = 50;
/** What it aims at: so many deletions for each job that comes. */
const DELETED_PER_CREATED = 1.5;

export interface PruningStep {
  tookMs: number;
  deleted: number;
  /** Jobs that were enqueued since the step before, and how long that was. */
  created: number;
  sinceMs: number;
  /** It deleted enough of what it looked at for its pace to count; else it has only walked past jobs that are kept. */
  isWorthwhile: boolean;
}

/** In milliseconds. */
export function restAfter({ tookMs, deleted, created, sinceMs, isWorthwhile }: PruningStep): number {
  const most = MOST_REST * tookMs;
  const wanted =
    isWorthwhile && created > 0 ? (deleted * sinceMs) / (created * DELETED_PER_CREATED) - tookMs : most;
  return Math.max(MIN_REST_MS, LEAST_REST * tookMs, Math.min(most, wanted));
}
