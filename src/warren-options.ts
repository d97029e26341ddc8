/**
 * What callers give to the class `Warren`, and what is made of it: requests to enqueue, and the settings of a worker. Pure: opens nothing, writes nothing.
 */
import { toEnqueueOptions } from '#queue/enqueue-options.ts';
import type { EnqueueRequest } from '#queue/new-job.ts';
import { InvalidInput, Misconfigured } from '#shared/base/errors.ts';
import type { App, QueueOptions } from '#shared/job/app.ts';
import { assertKnown } from '#shared/job/app.ts';
import type { EnqueueOptions, JobDefinition } from '#shared/job/job.ts';
import type { LogOption } from '#shared/observe/instance-log.ts';
import type { CallersClient } from '#shared/postgres/callers-client.ts';
import type { Config } from '#shared/settings/config.ts';

export interface WarrenOptions {
  app: App;
  /** `postgres://…` */
  databaseUrl: string;
  /** `amqp://…`, of one node or of several of a cluster (`amqp://user:password@a:5672,b:5672/vhost`), or `none`: no broker, the workers take jobs straight from Postgres. */
  amqpUrl: string;
  /** Further settings, by the names and in the spelling of docs/settings.md. Defaults to none. */
  settings?: Readonly<Record<string, string>>;
  /**
   * Lines of what happens in this instance, its workers and its HTTP face. `true`: JSON lines on standard output, from the setting `LOG_LEVEL` on; a level
   * as `'warn'`: from that on. A logger of pino's shape (or `console`) gets them instead, and decides by itself which it shows. Defaults to `false`.
   */
  log?: LogOption | undefined;
}

export interface WarrenEnqueueOptions extends Omit<EnqueueOptions, 'runAt'> {
  /** When to run it: a date, or RFC 3339 with an offset or Z. Not together with `delayMs`. Defaults to now. */
  runAt?: Date | string | undefined;
  /** A client inside of the caller's own transaction: the job exists if and only if that commits (docs/transactions.md). Defaults to none. */
  transaction?: CallersClient | undefined;
  /** A second enqueue with the key answers with the job of the first. Not together with `transaction`. Defaults to none. */
  idempotencyKey?: string | undefined;
}

/** One of many jobs to enqueue. */
export interface ManyElement<Input> {
  job: JobDefinition<unknown, Input>;
  args: NoInfer<Input>;
  options?: Omit<WarrenEnqueueOptions, 'transaction' | 'idempotencyKey'> | undefined;
}

export interface WorkerOptions {
  /** The queues that it serves. Defaults to all of the application, as that has them. */
  queues?: Readonly<Record<string, QueueOptions>> | undefined;
  /** How long running jobs may take when it is stopped, in milliseconds. Defaults to the setting `DRAIN_TIMEOUT_MS`. */
  drainTimeoutMs?: number | undefined;
}

/** A worker that runs in this process. */
export interface RunningWorker extends AsyncDisposable {
  /** Takes no more jobs, lets those that run finish within the drain time, hands the rest back uncharged. */
  stop(): Promise<void>;
  /** Resolves when it has stopped, whoever asked: it stops by itself where somebody drains it (docs/workers.md). */
  readonly stopped: Promise<void>;
}

/** Before anything is written: a job that the application's workers do not know, or in a queue that they do not serve, would wait for ever. */
export function toRequest(
  app: App,
  { job, args, options }: ManyElement<unknown>,
  pointer: string,
): EnqueueRequest {
  assertKnown(app, job);
  const checked = options === undefined ? {} : toEnqueueOptions(options, pointer);
  if (checked.queue !== undefined && !app.queues.has(checked.queue))
    throw new InvalidInput('unknown_queue', `application "${app.name}" has no queue "${checked.queue}"`);
  return { ...checked, definition: job, args };
}

/** The settings of a worker of this process. Throws `Misconfigured` where it is to serve what the application has not. */
export function withWorkerOptions(
  config: Config,
  app: App,
  { queues, drainTimeoutMs }: WorkerOptions,
): Config {
  const { drainTimeoutMs: configuredMs } = config;
  if (queues === undefined) return { ...config, drainTimeoutMs: drainTimeoutMs ?? configuredMs };
  const workerQueues = Object.entries(queues).map(([queue, options]) => {
    const defaults = app.queues.get(queue);
    if (defaults === undefined)
      throw new Misconfigured(`application "${app.name}" has no queue "${queue}" that a worker could serve`);
    return { queue, ...defaults, ...options };
  });
  return { ...config, workerQueues, drainTimeoutMs: drainTimeoutMs ?? configuredMs };
}

/** The key would be kept although the transaction rolls back. */
export function assertNoKey(idempotencyKey: string | undefined): void {
  if (idempotencyKey === undefined) return;
  const issues = [{ detail: 'stands for nothing within a transaction', pointer: '/options/idempotencyKey' }];
  throw new InvalidInput('invalid_options', 'give idempotencyKey or transaction, not both', issues);
}
