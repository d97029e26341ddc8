/**
 * Warren as a library: what an application holds to enqueue jobs, look at them and run workers, in its own process.
 *
 * Guarantees: nothing is opened before `start`; `start` and `stop` may be called twice; two instances share nothing; no environment variable is read.
 */

import type { Hono } from 'hono';
import type { HttpOptions, MountedApi } from '#api/mounted-api.ts';
import { createMountedApi } from '#api/mounted-api.ts';
import type { JobPage, JobPageRequest } from '#queue/browse.ts';
import { QueueClient } from '#queue/client.ts';
import type { Control } from '#queue/control.ts';
import { enqueueInTransaction } from '#queue/enqueue-in-transaction.ts';
import { toEnqueueOptions } from '#queue/enqueue-options.ts';
import type { EnqueueRequest } from '#queue/new-job.ts';
import type { WaitOptions } from '#queue/wait.ts';
import { waitForEnd } from '#queue/wait.ts';
import { InvalidInput, Misconfigured, NotFound, Unavailable } from '#shared/base/errors.ts';
import type { App, QueueOptions } from '#shared/job/app.ts';
import type { Enqueued, EnqueueOptions, Job, JobDefinition } from '#shared/job/job.ts';
import { Events } from '#shared/observe/events.ts';
import type { CallersClient } from '#shared/postgres/callers-client.ts';
import { migrate } from '#shared/postgres/migrate/migrate.ts';
import type { Config } from '#shared/settings/config.ts';
import { processName, readConfig } from '#shared/settings/config.ts';
import { Worker } from '#worker/worker.ts';

/** Jobs in a page. */
const DEFAULT_PAGE = 50;

export interface WarrenOptions {
  app: App;
  /** `postgres://…` */
  databaseUrl: string;
  /** `amqp://…`, or `none`: no broker, the workers take jobs straight from Postgres. */
  amqpUrl: string;
  /** Further settings, by the names and in the spelling of docs/settings.md. Defaults to none. */
  settings?: Readonly<Record<string, string>>;
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
}

/** Jobs that exist. All throw `NotFound` where there is no such job, and `Unavailable` where nobody can tell now. */
export interface WarrenJobs extends Pick<Control, 'cancel' | 'retry'> {
  /** Undefined where there is none with this id. */
  find(id: string): Promise<Job | undefined>;
  /** A page of jobs, newest first, at most `limit` (defaults to 50); `nextCursor` is the `cursor` of the next page. */
  list(filter?: Partial<JobPageRequest>): Promise<JobPage>;
  /** Resolves with the job when it has ended. At `timeoutMs` (defaults to 30 000) throws `Unavailable` with the code `not_ended`. */
  wait(id: string, options?: WaitOptions): Promise<Job>;
}

export class Warren {
  readonly #app: App;
  readonly #config: Config;
  readonly #events = new Events();
  readonly #client: QueueClient;
  readonly #stopping = new AbortController();
  readonly #workers = new Set<Worker>();
  readonly #mounted = new Set<MountedApi>();
  readonly jobs: WarrenJobs;
  #isEntered = false;
  #workersStarted = 0;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  /** Throws `Misconfigured` with all that is wrong with the settings. */
  constructor({ app, databaseUrl, amqpUrl, settings = {} }: WarrenOptions) {
    this.#app = app;
    this.#config = readConfig('worker', app, { ...settings, DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl });
    const { poolMin: min, poolMax: max, publisherChannels: channels } = this.#config;
    const name = processName('api');
    this.#client = new QueueClient({
      app,
      events: this.#events,
      name,
      database: { url: databaseUrl, isPooled: this.#config.databaseDirectUrl !== undefined, min, max },
      amqpUrl,
      channels,
    });
    this.jobs = this.#createJobs();
  }

  /** What happens in this instance and its workers, and in no other (docs/events.md): `warren.events.subscribe('job.ended', …)`. */
  get events(): Pick<Events, 'subscribe'> {
    return this.#events;
  }

  /** Brings the schema `warren` up to date. Resolves with the names of the migrations that were applied. */
  async migrate(): Promise<{ applied: string[] }> {
    const { databaseUrl, databaseDirectUrl } = this.#config;
    return await migrate({ databaseUrl: databaseDirectUrl ?? databaseUrl, app: this.#app });
  }

  /** Resolves when jobs can be enqueued: Postgres is there and its schema is current. RabbitMQ may still be away. Throws `Misconfigured`. */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  /** Resolves when the row is committed. Throws `InvalidInput`, `Conflict` or `Unavailable`; within a transaction also what its client throws. */
  async enqueue<Args, Input>(
    job: JobDefinition<Args, Input>,
    args: NoInfer<Input>,
    { transaction, idempotencyKey, ...options }: WarrenEnqueueOptions = {},
  ): Promise<Enqueued> {
    const request = this.#toRequest({ job: job as JobDefinition, args, options }, '/options');
    if (transaction === undefined) return await this.#client.enqueuer.enqueue(request, idempotencyKey);
    assertNoKey(idempotencyKey);
    const [enqueued] = await enqueueInTransaction(transaction, [request]);
    return enqueued as Enqueued;
  }

  /** Enqueues all or none, and resolves with the ids in order; a held unique key gives its holder's id. Throws as `enqueue` does. */
  async enqueueMany<Inputs extends readonly unknown[]>(
    jobs: { readonly [Index in keyof Inputs]: ManyElement<Inputs[Index]> },
    { transaction, idempotencyKey }: Pick<WarrenEnqueueOptions, 'transaction' | 'idempotencyKey'> = {},
  ): Promise<string[]> {
    const requests = jobs.map((element, index) =>
      this.#toRequest(element as ManyElement<unknown>, `/jobs/${index}/options`),
    );
    if (transaction === undefined) return await this.#client.enqueuer.enqueueBatch(requests, idempotencyKey);
    assertNoKey(idempotencyKey);
    const enqueued = await enqueueInTransaction(transaction, requests);
    return enqueued.map(({ job }) => job.id);
  }

  /** The API as a Hono app, to be mounted in the application's own server (docs/package.md). Without a token it answers this machine only. */
  http(access: HttpOptions = {}): Hono {
    const mounted = createMountedApi({
      app: this.#app,
      client: this.#client,
      events: this.#events,
      secret: this.#config.databaseUrl,
      bodyBytes: this.#config.apiBodyBytes,
      phase: () => this.#phase(),
      access,
    });
    this.#mounted.add(mounted);
    return mounted.app;
  }

  /** Runs the application's jobs in this process. Resolves when it takes jobs. Throws `Misconfigured`. */
  async startWorker(options: WorkerOptions = {}): Promise<RunningWorker> {
    this.#workersStarted += 1;
    const number = this.#workersStarted === 1 ? '' : `.${this.#workersStarted}`;
    const worker = new Worker({
      config: withWorkerOptions(this.#config, this.#app, options),
      name: `${processName('worker')}${number}`,
      app: this.#app,
      events: this.#events,
    });
    this.#workers.add(worker);
    const stop = async () => {
      this.#workers.delete(worker);
      await worker.stop();
    };
    try {
      await worker.start(this.#stopping.signal);
    } catch (error) {
      await stop();
      throw error;
    }
    return { stop, [Symbol.asyncDispose]: stop };
  }

  /** Drains the workers, waits for what is being published, closes every connection. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #start(): Promise<void> {
    this.#client.start();
    await this.#client.enter(this.#stopping.signal);
    this.#isEntered = true;
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new Unavailable('stopping', 'Warren is being stopped'));
    await Promise.all([...this.#workers].map((worker) => worker.stop()));
    for (const mounted of this.#mounted) mounted.stop();
    await this.#client.stop();
  }

  #phase(): 'starting' | 'serving' | 'stopping' {
    if (this.#stopping.signal.aborted) return 'stopping';
    return this.#isEntered ? 'serving' : 'starting';
  }

  #createJobs(): WarrenJobs {
    const { browser, control } = this.#client;
    const stopping = this.#stopping.signal;
    return {
      find: (id) =>
        browser.find(id).catch((error: unknown) => {
          if (error instanceof NotFound) return undefined;
          throw error;
        }),
      list: (filter = {}) => browser.list({ limit: DEFAULT_PAGE, ...filter }),
      cancel: (id) => control.cancel(id),
      retry: (id) => control.retry(id),
      wait: (id, { signal, ...options } = {}) =>
        waitForEnd(browser, id, {
          ...options,
          signal: signal === undefined ? stopping : AbortSignal.any([signal, stopping]),
        }),
    };
  }

  /** Before anything is written: a job that the application's workers do not know, or in a queue that they do not serve, would wait for ever. */
  #toRequest({ job, args, options }: ManyElement<unknown>, pointer: string): EnqueueRequest {
    const { name, definitions, queues } = this.#app;
    if (definitions.get(job.type) !== job)
      throw new InvalidInput('unknown_type', `application "${name}" has no such job type "${job.type}"`);
    const checked = options === undefined ? {} : toEnqueueOptions(options, pointer);
    if (checked.queue !== undefined && !queues.has(checked.queue))
      throw new InvalidInput('unknown_queue', `application "${name}" has no queue "${checked.queue}"`);
    return { ...checked, definition: job, args };
  }
}

function withWorkerOptions(config: Config, app: App, { queues, drainTimeoutMs }: WorkerOptions): Config {
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
function assertNoKey(idempotencyKey: string | undefined): void {
  if (idempotencyKey === undefined) return;
  const issues = [{ detail: 'stands for nothing within a transaction', pointer: '/options/idempotencyKey' }];
  throw new InvalidInput('invalid_options', 'give idempotencyKey or transaction, not both', issues);
}
