/**
 * How a job type is written: `defineJob({ type, queue, args, perform })`, in a file of its own, and one line in the registry.
 *
 * A handler returns its output, `snooze(…)` to run later without being charged, or `cancel(…)` to stop for good; it throws to fail the attempt.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { backoffMs } from '#shared/base/backoff.ts';
import type { JobContext, JobDefinition } from '#shared/job/job.ts';

const MAX_SNOOZE_MS = 31_536_000_000;

export class Snooze {
  readonly delayMs: number;

  constructor(delayMs: number) {
    this.delayMs = delayMs;
  }
}

export class Cancel {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Run me again in `delayMs` milliseconds, at most a year; this attempt does not count. Throws `RangeError` where it is no number. */
export function snooze(delayMs: number): Snooze {
  if (Number.isNaN(delayMs)) throw new RangeError('snooze wants milliseconds');
  return new Snooze(Math.min(Math.max(0, delayMs), MAX_SNOOZE_MS));
}

/** The job has become pointless: cancel it, with the reason in its history. */
export function cancel(reason: string): Cancel {
  return new Cancel(reason);
}

export interface JobOptions<Schema extends StandardSchemaV1> {
  /** A verb and a noun: `process-order`. */
  type: string;
  /** Defaults to `default`. */
  queue?: string;
  /** The schema of the arguments, checked at enqueue: of zod, valibot, arktype, or whatever implements Standard Schema. */
  args: Schema;
  /** Paths into the arguments that are shown to nobody, as `headers.*`. Defaults to none. */
  redact?: readonly string[] | undefined;
  /** Attempts in all, the first included. Defaults to 10. */
  maxAttempts?: number;
  /** What one attempt may take, in milliseconds. Defaults to 60 000. */
  timeoutMs?: number;
  /** The wait after failed attempt `attempt` (from 1), in milliseconds. Defaults to 1 s, doubled each time up to 1 h, ± 20 %. */
  backoffMs?: (attempt: number) => number;
  /** How long its jobs are kept after their end, by state, in milliseconds; null: for ever. Defaults to the settings (`RETENTION_…`). */
  retention?: JobDefinition['retention'];
  perform(args: StandardSchemaV1.InferOutput<Schema>, context: JobContext): Promise<unknown>;
}

export function defineJob<Schema extends StandardSchemaV1>(
  options: JobOptions<Schema>,
): JobDefinition<StandardSchemaV1.InferOutput<Schema>, StandardSchemaV1.InferInput<Schema>> {
  return {
    queue: 'default',
    maxAttempts: 10,
    timeoutMs: 60_000,
    backoffMs: (attempt) => backoffMs(attempt, { firstMs: 1_000, maxMs: 3_600_000 }),
    ...options,
    // the compiler does not see that it is one
    args: options.args as StandardSchemaV1 as StandardSchemaV1<
      StandardSchemaV1.InferInput<Schema>,
      StandardSchemaV1.InferOutput<Schema>
    >,
  };
}
