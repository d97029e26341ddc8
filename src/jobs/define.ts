/**
 * How a job type is written: `defineJob({ type, queue, args, perform })`, in a file of its own, and one line in the application's `jobs`.
 *
 * A handler returns its output, `snooze(…)` to run later without being charged, or `cancel(…)` to stop for good; it throws to fail the attempt.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { backoffMs } from '#shared/base/backoff.ts';
import type { JobContext, JobDefinition, RetryPolicy, Unique } from '#shared/job/job.ts';

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
  /** Arguments and outputs are encrypted in Postgres by `ENCRYPTION_KEYS`, and shown to nobody but the application's own code. Defaults to false. */
  encrypted?: boolean | undefined;
  /** Attempts in all, the first included. Defaults to 10. */
  maxAttempts?: number;
  /** What one attempt may take, in milliseconds. Defaults to 60 000. */
  timeoutMs?: number;
  /** The wait after failed attempt `attempt` (from 1), in milliseconds. Defaults to 1 s, doubled each time up to 1 h, ± 20 %. */
  backoffMs?: (attempt: number) => number;
  /** How long its jobs are kept after their end, by state, in milliseconds; null: for ever. Defaults to the settings (`RETENTION_…`). */
  retention?: JobDefinition['retention'];
  /** Of its jobs, 0 to 9, the higher first, where the enqueue says nothing else. Defaults to 0. */
  priority?: number | undefined;
  /** The limits that its jobs count against, `name` or `name:key`: the same for all, or by the arguments. Defaults to none. */
  limits?: readonly string[] | ((args: StandardSchemaV1.InferOutput<Schema>) => readonly string[]);
  /** The group of a job, whose turn comes with the other groups of the queue. Defaults to none. */
  group?: (args: StandardSchemaV1.InferOutput<Schema>) => string | undefined;
  /** Jobs of a queue with the same key run one after the other. Defaults to none. */
  orderingKey?: (args: StandardSchemaV1.InferOutput<Schema>) => string | undefined;
  /** The unique key of a job, and how long it is held. Defaults to none (docs/uniqueness.md). */
  unique?: (args: StandardSchemaV1.InferOutput<Schema>) => Unique | undefined;
  /** For `onConflict: 'merge'`: the arguments of the waiting job and the new ones. Defaults to the members of both, the new ones winning. */
  merge?: (
    old: StandardSchemaV1.InferOutput<Schema>,
    given: StandardSchemaV1.InferOutput<Schema>,
  ) => StandardSchemaV1.InferOutput<Schema>;
  /** What has not started so long after it came due never starts, in milliseconds. Defaults to no such time. */
  expiresInMs?: number | undefined;
  /** What all attempts of a job and the waits between them may take, from the time when it came due, in milliseconds. Defaults to any time. */
  totalTimeoutMs?: number | undefined;
  /** Retries by kinds of errors (docs/retries.md). Defaults to `maxAttempts` and `backoffMs` for all. */
  retry?: RetryPolicy | undefined;
  /** Other applications on the database have this type, too, with the same handler and perhaps other limits. Defaults to false (docs/applications.md). */
  shared?: boolean | undefined;
  /**
   * Where its handlers run: `inline`, in the worker itself; `thread` or `process`, in one of the type's own, where what blocks, leaks or crashes hurts
   * nobody else (docs/isolation.md). Defaults to `inline`.
   */
  isolation?: JobDefinition['isolation'];
  /** What its threads or processes may take. Defaults to 4 of them with 512 MB each. */
  isolationLimits?: JobDefinition['isolationLimits'];
  /** Annotate the context as `JobContext<Services>` where the handler needs services: `defineApp` sees that the application has them. */
  perform(args: StandardSchemaV1.InferOutput<Schema>, context: JobContext<Services>): Promise<unknown>;
}

export function defineJob<Schema extends StandardSchemaV1, Services = unknown>(
  options: JobOptions<Schema, Services>,
): JobDefinition<StandardSchemaV1.InferOutput<Schema>, StandardSchemaV1.InferInput<Schema>, Services> {
  const { limits, ...others } = options;
  return {
    queue: 'default',
    maxAttempts: 10,
    timeoutMs: 60_000,
    backoffMs: (attempt) => backoffMs(attempt, { firstMs: 1_000, maxMs: 3_600_000 }),
    ...others,
    ...(limits === undefined ? {} : { limits: typeof limits === 'function' ? limits : () => limits }),
    // the compiler does not see that it is one
    args: options.args as StandardSchemaV1 as StandardSchemaV1<
      StandardSchemaV1.InferInput<Schema>,
      StandardSchemaV1.InferOutput<Schema>
    >,
  };
}
