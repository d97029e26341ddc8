/**
 * New jobs as one JSON text for `insertJobs`. Pure.
 *
 * Writing ten thousand jobs, or one with a megabyte of arguments, takes long; so arguments are written where their job is made, and only put
 * together here.
 */

import type { Trace } from '../../job/trace.ts';

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
  uniqueKey?: string | undefined;
  idempotencyKey?: string | undefined;
  fingerprint?: string | undefined;
  /** Of the request that enqueues it, checked (`parseTrace`). */
  trace?: Trace | undefined;
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
  });
  const args = job.argsJson ?? JSON.stringify(job.args);
  return args === undefined ? row : `${row.slice(0, -1)},"args":${args}}`;
}
