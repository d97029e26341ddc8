/**
 * From a request to the row that is to be inserted, and from the row to the job that the caller is shown. Pure.
 */
import { parseArguments } from '#shared/job/arguments.ts';
import type { EnqueueOptions, Job, JobDefinition } from '#shared/job/job.ts';
import { parseTrace } from '#shared/job/trace.ts';
import type { InsertedJob } from '#shared/postgres/statements/insert.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';

/** One job to enqueue: its type, its arguments and how it is to be treated. */
export interface EnqueueRequest<Input = unknown> extends EnqueueOptions {
  definition: JobDefinition<unknown, Input>;
  args: NoInfer<Input>;
}

/** Requests of several job types; each one's arguments are checked against its own. */
export type EnqueueRequests<Inputs extends readonly unknown[] = readonly unknown[]> = {
  readonly [Index in keyof Inputs]: EnqueueRequest<Inputs[Index]>;
};

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
