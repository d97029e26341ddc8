/**
 * New jobs as one JSON text for `insertJobs`. Pure.
 *
 * Writing ten thousand jobs, or one with a megabyte of arguments, takes long; so arguments are written where their job is made, and only put
 * together here.
 */

import type { OnConflict } from '../../job/job.ts';
import type { CarriedTrace } from '../../job/trace.ts';

/** What most jobs have none of. */
export interface RareMembers {
  /** Of 1 to 9; 0 where it is left out. */
  priority?: number | undefined;
  group?: string | undefined;
  orderingKey?: string | undefined;
  tags?: readonly string[] | undefined;
  limits?: readonly string[] | undefined;
  /** RFC 3339; wins over `expiresInMs`. */
  expiresAt?: string | undefined;
  /** From the time when it comes due. */
  expiresInMs?: number | undefined;
  /** Its time over all attempts, from the time when it comes due. */
  totalMs?: number | undefined;
  /** The batch that it belongs to. */
  batch?: string | undefined;
  /** The batch whose end, success or failure it is enqueued for. */
  callbackOf?: string | undefined;
  /** A unique key that it holds until it starts. */
  waitingKey?: string | undefined;
  /** A unique key that it holds for some time. */
  period?: { key: string; ms: number } | undefined;
  /** Of its unique key, of whichever kind. Defaults to `keep`. */
  onConflict?: OnConflict | undefined;
  /** Of the holder's arguments and the new ones. Left out: members of the new ones win. */
  merge?: ((old: unknown, given: unknown) => unknown) | undefined;
}

/** A job to insert. */
export interface NewJob {
  type: string;
  queue: string;
  args: unknown;
  /** `args` as JSON, where they were written before. */
  argsJson?: string | undefined;
  maxAttempts: number;
  /** RFC 3339; wins over `delayMs`. */
  runAt?: string | undefined;
  delayMs?: number | undefined;
  /** A unique key that it holds until it ends. */
  uniqueKey?: string | undefined;
  rare?: RareMembers | undefined;
  idempotencyKey?: string | undefined;
  fingerprint?: string | undefined;
  /** Of the request that enqueues it, checked (`parseTrace`). */
  trace?: CarriedTrace | undefined;
}

/** The rows, numbered in their order. `isOneRequest`: they came together, and share their idempotency key. */
export function writeRows(jobs: readonly NewJob[], { isOneRequest }: { isOneRequest: boolean }): string {
  return `[${jobs.map((job, n) => writeRow(job, { n, request: isOneRequest ? 0 : n })).join(',')}]`;
}

function writeRow(job: NewJob, place: { n: number; request: number }): string {
  const row = JSON.stringify({
    ...place,
    type: job.type,
    queue: job.queue,
    max_attempts: job.maxAttempts,
    run_at: job.runAt,
    delay_ms: job.delayMs,
    unique_key: job.uniqueKey,
    key: job.idempotencyKey,
    fingerprint: job.fingerprint,
    trace: job.trace,
    ...(job.rare === undefined ? {} : toColumns(job.rare)),
  });
  const args = job.argsJson ?? JSON.stringify(job.args);
  return args === undefined ? row : `${row.slice(0, -1)},"args":${args}}`;
}

/** As the columns are named. */
export function toColumns(rare: RareMembers): Record<string, unknown> {
  return {
    priority: rare.priority,
    group_key: rare.group,
    ordering_key: rare.orderingKey,
    tags: rare.tags,
    limits: rare.limits,
    expires_at: rare.expiresAt,
    expires_ms: rare.expiresInMs,
    total_ms: rare.totalMs,
    waiting_key: rare.waitingKey,
    period_key: rare.period?.key,
    period_ms: rare.period?.ms,
    batch_id: rare.batch,
    callback_of: rare.callbackOf,
  };
}
