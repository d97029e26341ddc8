/**
 * From a request to the row that is to be inserted, and from the row to the job that the caller is shown. Pure.
 */
import { parseArguments } from '#shared/job/arguments.ts';
import type { Job, JobDefinition } from '#shared/job/job.ts';
import type { Trace } from '#shared/job/trace.ts';
import { parseTrace } from '#shared/job/trace.ts';
import type { InsertedJob } from '#shared/postgres/statements/insert.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';

/** The trace is carried to the job's context and log lines; what is malformed of it is left out. */
export interface EnqueueOptions extends Trace {
  /** Defaults to the job type's queue. */
  queue?: string | undefined;
  /** When to run it, RFC 3339; wins over `delayMs`. Defaults to now. */
  runAt?: string | undefined;
  /** Milliseconds to wait before it runs, from the commit on. Defaults to 0. */
  delayMs?: number | undefined;
  /** Attempts in all. Defaults to the job type's. */
  maxAttempts?: number | undefined;
  /** At most one live job of the type has this key. Defaults to none. */
  uniqueKey?: string | undefined;
}

/** One job to enqueue: its type, its arguments and how it is to be treated. */
export interface EnqueueRequest<Input = unknown> extends EnqueueOptions {
  definition: JobDefinition<unknown, Input>;
  args: NoInfer<Input>;
}

/** Requests of several job types; each one's arguments are checked against its own. */
export type EnqueueRequests<Inputs extends readonly unknown[] = readonly unknown[]> = {
  readonly [Index in keyof Inputs]: EnqueueRequest<Inputs[Index]>;
};

export interface Enqueued {
  job: Job;
  /** False: a live job held the unique key already, and `job` is that one. */
  created: boolean;
}

/** Checks the arguments against the job type's schema; at once, where the schema answers at once. Throws `InvalidInput`. */
export function toNewJob(request: EnqueueRequest): NewJob | Promise<NewJob> {
  const args = parseArguments(request.definition, request.args);
  return args instanceof Promise
    ? args.then((parsed) => withArguments(request, parsed))
    : withArguments(request, args);
}

function withArguments(
  { definition, queue, runAt, delayMs, maxAttempts, uniqueKey, traceparent, requestId }: EnqueueRequest,
  args: unknown,
): NewJob {
  return {
    type: definition.type,
    queue: queue ?? definition.queue,
    args,
    argsJson: JSON.stringify(args),
    maxAttempts: maxAttempts ?? definition.maxAttempts,
    runAt,
    delayMs,
    uniqueKey,
    trace: parseTrace({ traceparent, requestId }),
  };
}

/** The job as it was inserted. */
export function toJob(job: NewJob, { id, state, runAtMs, createdAtMs }: InsertedJob): Job {
  if (state === null || runAtMs === null || createdAtMs === null)
    throw new Error(`job ${id} was not inserted`);
  return {
    id,
    type: job.type,
    queue: job.queue,
    state,
    args: job.args,
    attempt: 0,
    maxAttempts: job.maxAttempts,
    runAt: new Date(runAtMs),
    createdAt: new Date(createdAtMs),
    startedAt: null,
    finishedAt: null,
    uniqueKey: job.uniqueKey ?? null,
    output: null,
    errors: [],
  };
}
