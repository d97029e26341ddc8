/**
 * How a job type is written: `defineJob({ type, queue, args, perform })`, in a file of its own, and one line in the application's `jobs`.
 *
 * A handler returns its output, `snooze(…)` to run later without being charged, or `cancel(…)` to stop for good; it throws to fail the attempt.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { backoffMs } from '#shared/base/backoff.ts';
import type { JobContext, JobDefinition } from '#shared/job/job.ts';

const MAX_SNOOZE_MS = 31_536_000_000;

/** Told by a brand, not by its class: the application may have another copy of this package than the program that runs it. */
export class Snooze {
  readonly brand = 'warren.snooze';
  readonly delayMs: number;

  constructor(delayMs: number) {
    this.delayMs = delayMs;
  }
}

/** See `Snooze`. */
export class Cancel {
  readonly brand = 'warren.cancel';
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

export function isSnooze(returned: unknown): returned is Snooze {
  return hasBrand(returned, 'warren.snooze');
}

export function isCancel(returned: unknown): returned is Cancel {
  return hasBrand(returned, 'warren.cancel');
}

function hasBrand(returned: unknown, brand: string): boolean {
  return typeof returned === 'object' && returned !== null && 'brand' in returned && returned.brand === brand;
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

export interface JobOptions<Schema extends StandardSchemaV1, Services = unknown> {
  /** A verb and a noun: `send-invoice`. */
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
  /** Other applications on the database have this type, too, with the same handler and perhaps other limits. Defaults to false (docs/applications.md). */
  shared?: boolean | undefined;
  /** Annotate the context as `JobContext<Services>` where the handler needs services: `defineApp` sees that the application has them. */
  perform(args: StandardSchemaV1.InferOutput<Schema>, context: JobContext<Services>): Promise<unknown>;
}

export function defineJob<Schema extends StandardSchemaV1, Services = unknown>(
  options: JobOptions<Schema, Services>,
): JobDefinition<StandardSchemaV1.InferOutput<Schema>, StandardSchemaV1.InferInput<Schema>, Services> {
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
