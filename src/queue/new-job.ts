/**
 * From a request to the row that is to be inserted, and from the row to the job that the caller is shown. Pure.
 */
import { InvalidInput } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import { parseArguments } from '#shared/job/arguments.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import { noEncryption } from '#shared/job/encryption.ts';
import type { EnqueueOptions, Job, JobDefinition, Unique } from '#shared/job/job.ts';
import { parseTrace } from '#shared/job/trace.ts';
import type { InsertedJob } from '#shared/postgres/statements/insert.ts';
import type { NewJob, RareMembers } from '#shared/postgres/statements/new-rows.ts';

/** One job to enqueue: its type, its arguments and how it is to be treated. */
export interface EnqueueRequest<Input = unknown> extends EnqueueOptions {
  definition: JobDefinition<unknown, Input>;
  args: NoInfer<Input>;
}

/** Requests of several job types; each one's arguments are checked against its own. */
export type EnqueueRequests<Inputs extends readonly unknown[] = readonly unknown[]> = {
  readonly [Index in keyof Inputs]: EnqueueRequest<Inputs[Index]>;
};

/** Throws `InvalidInput` where nobody serves the queue: the job would wait for ever. */
export function assertQueue({ queues }: Pick<App, 'queues'>, { queue }: EnqueueOptions): void {
  if (queue === undefined || queues.has(queue)) return;
  const issues = [{ detail: `there are ${[...queues.keys()].join(', ')}`, pointer: '/queue' }];
  throw new InvalidInput('unknown_queue', `the application has no queue "${queue}"`, issues);
}

/** Checks the arguments against the job type's schema; at once, where the schema answers at once. Throws `InvalidInput`. */
export function toNewJob(
  request: EnqueueRequest,
  encryption: Encryption = noEncryption,
): NewJob | Promise<NewJob> {
  const args = parseArguments(request.definition, request.args);
  return args instanceof Promise
    ? args.then((parsed) => withArguments(request, parsed, encryption))
    : withArguments(request, args, encryption);
}

function withArguments(request: EnqueueRequest, args: unknown, encryption: Encryption): NewJob {
  const { definition, queue, runAt, delayMs, maxAttempts, traceparent, tracestate, requestId, baggage } =
    request;
  const unique =
    request.unique ??
    (request.uniqueKey === undefined ? definition.unique?.(args) : { key: request.uniqueKey });
  return {
    type: definition.type,
    queue: queue ?? definition.queue,
    args,
    argsJson: writeArguments(definition, args, encryption),
    maxAttempts: maxAttempts ?? definition.maxAttempts,
    runAt,
    delayMs,
    uniqueKey: unique === undefined || (unique.for ?? 'live') !== 'live' ? undefined : unique.key,
    rare: toRareMembers(request, args, { unique, encryption }),
    trace: parseTrace({ traceparent, tracestate, requestId, baggage }),
  };
}

/** As the row has them. */
export function writeArguments(
  { type, encrypted }: JobDefinition,
  args: unknown,
  encryption: Encryption,
  options?: { sameAgain: boolean },
): string {
  const json = JSON.stringify(args);
  return encrypted === true ? encryption.seal(json ?? 'null', { type, part: 'args' }, options) : json;
}

/** Of an encrypted type the holder's arguments come encrypted, and what is merged goes so. */
function mergeOf(definition: JobDefinition, encryption: Encryption): RareMembers['merge'] {
  const { type, encrypted, merge } = definition;
  if (encrypted !== true) return merge;
  const mergeOpen = merge ?? ((old, given) => ({ ...Object(old), ...Object(given) }));
  return (old, given) => {
    const merged = mergeOpen(encryption.open(old, { type, part: 'args' }), given);
    return JSON.parse(writeArguments(definition, merged, encryption));
  };
}

/** What most jobs have none of: undefined then, and they cost nothing. On the way of every job, hence no copy of the request. */
function toRareMembers(
  request: EnqueueRequest,
  args: unknown,
  { unique, encryption }: { unique: Unique | undefined; encryption: Encryption },
): RareMembers | undefined {
  const { definition, tags, expiresAt } = request;
  const limits = request.limits ?? definition.limits?.(args);
  const held = unique?.for;
  const members: RareMembers = {
    priority: (request.priority ?? definition.priority) || undefined,
    group: request.group ?? definition.group?.(args),
    orderingKey: request.orderingKey ?? definition.orderingKey?.(args),
    tags: tags?.length === 0 ? undefined : tags,
    limits: limits?.length === 0 ? undefined : limits,
    expiresAt,
    expiresInMs: expiresAt === undefined ? definition.expiresInMs : undefined,
    totalMs: definition.totalTimeoutMs,
    batch: request.batch,
    waitingKey: held === 'waiting' ? unique?.key : undefined,
    period: typeof held === 'object' ? { key: unique?.key ?? '', ms: held.ms } : undefined,
    onConflict: unique?.onConflict,
    merge: unique?.onConflict === 'merge' ? mergeOf(definition, encryption) : undefined,
  };
  for (const name in members) if (members[name as keyof RareMembers] !== undefined) return members;
  return undefined;
}

/** The job as it was inserted. */
export function toJob(job: NewJob, { id, state, runAtMs, createdAtMs, expiresAtMs }: InsertedJob): Job {
  if (state === null || runAtMs === null || createdAtMs === null)
    throw new Error(`job ${id} was not inserted`);
  const { rare = {} } = job;
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
    uniqueKey: job.uniqueKey ?? rare.waitingKey ?? rare.period?.key ?? null,
    priority: rare.priority ?? 0,
    group: rare.group ?? null,
    orderingKey: rare.orderingKey ?? null,
    tags: [...(rare.tags ?? [])],
    limits: [...(rare.limits ?? [])],
    expiresAt: expiresAtMs === undefined || expiresAtMs === null ? null : new Date(expiresAtMs),
    batch: rare.batch ?? null,
    output: null,
    errors: [],
  };
}
