/**
 * Middleware: what an application wraps around every enqueue and every run of a handler, the first of a list outermost. Pure.
 *
 * Guarantees: what it throws is the error of the enqueue, or of the attempt; each calls `next` at most once; where there is none, nothing here runs.
 */
import type { EnqueueOptions, JobContext, JobDefinition } from './job.ts';

/** A job that is about to be enqueued: what is changed of it counts, arguments are checked after that. */
export interface JobToEnqueue extends EnqueueOptions {
  readonly definition: JobDefinition;
  args: unknown;
}

/** One call that enqueues: a job, or a batch. */
export interface EnqueueCall {
  readonly jobs: readonly JobToEnqueue[];
}

/** `next` resolves when the jobs are committed; in a transaction of the caller's, when they are inserted. Whoever does not call it throws. */
export type EnqueueMiddleware = (call: EnqueueCall, next: () => Promise<void>) => Promise<void>;

/** A handler that is about to run, with arguments that were checked. */
export interface PerformCall {
  readonly definition: JobDefinition;
  readonly args: unknown;
  /** With the services that the middleware before has added. */
  readonly context: JobContext;
}

/**
 * `next` runs the handler, and resolves with what it returns; `added` stands among its services. What the middleware returns is the job's output, be it
 * that of `next` or not.
 */
export type PerformMiddleware<Added extends object = object> = (
  call: PerformCall,
  next: (added?: Added) => Promise<unknown>,
) => Promise<unknown>;

/** The names that a middleware adds to the services. */
export type NamesAdded<One> = One extends PerformMiddleware<infer Added> ? keyof Added : never;

export interface Middleware {
  readonly enqueue: readonly EnqueueMiddleware[];
  readonly perform: readonly PerformMiddleware[];
}

/** `run` enqueues the requests as the middleware has left them. */
export async function aroundEnqueue<Request extends JobToEnqueue, Result>(
  middleware: readonly EnqueueMiddleware[],
  requests: readonly Request[],
  run: (requests: readonly Request[]) => Promise<Result>,
): Promise<Result> {
  if (middleware.length === 0) return await run(requests);
  const jobs = requests.map((request) => ({ ...request }));
  let ran: { result: Result } | undefined;
  const dispatch = async (index: number): Promise<void> => {
    const one = middleware[index];
    if (one === undefined) ran = { result: await run(jobs) };
    else
      await one(
        { jobs },
        once(() => dispatch(index + 1)),
      );
  };
  await dispatch(0);
  if (ran === undefined)
    throw new Error('a middleware has neither called next() nor thrown: nothing was enqueued');
  return ran.result;
}

export interface PerformStack {
  definition: JobDefinition;
  args: unknown;
  services: unknown;
  /** The handler's context with these services. */
  contextWith: (services: unknown) => JobContext;
}

export async function aroundPerform(
  middleware: readonly PerformMiddleware[],
  { definition, args, services, contextWith }: PerformStack,
): Promise<unknown> {
  const dispatch = async (index: number, given: unknown): Promise<unknown> => {
    const context = contextWith(given);
    const one = middleware[index];
    if (one === undefined) return await definition.perform(args, context);
    const next = once((added?: object) =>
      dispatch(index + 1, added === undefined ? given : { ...Object(given), ...added }),
    );
    return await one({ definition, args, context }, next);
  };
  return await dispatch(0, services);
}

function once<Args extends unknown[], Result>(
  next: (...args: Args) => Promise<Result>,
): (...args: Args) => Promise<Result> {
  let isCalled = false;
  return async (...args) => {
    if (isCalled) throw new Error('a middleware has called next() twice');
    isCalled = true;
    return await next(...args);
  };
}
