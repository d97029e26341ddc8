/**
 * Warren as a library: what an application holds to enqueue jobs, look at them and run workers, in its own process.
 *
 * Guarantees: nothing is opened before `start`; `start` and `stop` may be called twice; two instances share nothing; no environment variable is read.
 */

import { QueueClient } from '#queue/client.ts';
import { enqueueInTransaction } from '#queue/enqueue-in-transaction.ts';
import type { Enqueued, EnqueueOptions, EnqueueRequest } from '#queue/new-job.ts';
import { InvalidInput, NotFound } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import type { Job, JobDefinition } from '#shared/job/job.ts';
import type { CallersClient } from '#shared/postgres/callers-client.ts';
import { migrate } from '#shared/postgres/migrate/migrate.ts';
import type { Config } from '#shared/settings/config.ts';
import { processName, readConfig } from '#shared/settings/config.ts';
import { Worker } from '#worker/worker.ts';

export interface WarrenOptions {
  app: App;
  /** `postgres://…` */
  databaseUrl: string;
  /** `amqp://…`, or `none`: no broker, the workers take jobs straight from Postgres. */
  amqpUrl: string;
  /** Further settings, by the names and in the spelling of docs/settings.md. Defaults to none. */
  settings?: Readonly<Record<string, string>>;
}

export interface WarrenEnqueueOptions extends EnqueueOptions {
  /** A client inside of the caller's own transaction: the job exists if and only if that commits (docs/transactions.md). Defaults to none. */
  transaction?: CallersClient | undefined;
  /** A second enqueue with the key answers with the job of the first. Not within a transaction. Defaults to none. */
  idempotencyKey?: string | undefined;
}

/** One of many jobs to enqueue. */
export interface ManyElement<Input> {
  job: JobDefinition<unknown, Input>;
  args: Input;
  options?: EnqueueOptions;
}

/** A worker that runs in this process. */
export interface RunningWorker {
  /** Takes no more jobs, lets those that run finish within the drain time, hands the rest back uncharged. */
  stop(): Promise<void>;
}

export class Warren {
  readonly #app: App;
  readonly #config: Config;
  readonly #client: QueueClient;
  readonly #stopping = new AbortController();
  readonly #workers = new Set<Worker>();
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
      name,
      database: { url: databaseUrl, min, max },
      amqpUrl,
      channels,
    });
  }

  /** Brings the schema `warren` up to date. Resolves with the names of the migrations that were applied. */
  async migrate(): Promise<{ applied: string[] }> {
    return await migrate({ databaseUrl: this.#config.databaseUrl });
  }

  /** Resolves when jobs can be enqueued: Postgres is there and its schema is current. RabbitMQ may still be away. Throws `Misconfigured`. */
  start(): Promise<void> {
    this.#started ??= this.#start();
    return this.#started;
  }

  /** Resolves when the row is committed. Throws `InvalidInput`, `Conflict` or `Unavailable`. */
  async enqueue<Args, Input>(
    definition: JobDefinition<Args, Input>,
    args: NoInfer<Input>,
    { transaction, idempotencyKey, ...options }: WarrenEnqueueOptions = {},
  ): Promise<Enqueued> {
    const request = { ...options, definition: definition as JobDefinition, args };
    this.#assertKnown([request]);
    if (transaction === undefined) return await this.#client.enqueuer.enqueue(request, idempotencyKey);
    const [enqueued] = await enqueueInTransaction(transaction, [request]);
    return enqueued as Enqueued;
  }

  /** Enqueues all or none, and resolves with the ids in order; a held unique key gives its holder's id. Throws as `enqueue` does. */
  async enqueueMany(
    // biome-ignore lint/suspicious/noExplicitAny: each element's own types fit together; the list's do not
    jobs: readonly ManyElement<any>[],
    { transaction, idempotencyKey }: Pick<WarrenEnqueueOptions, 'transaction' | 'idempotencyKey'> = {},
  ): Promise<string[]> {
    const requests = jobs.map(({ job, args, options }) => ({
      ...options,
      definition: job as JobDefinition,
      args,
    }));
    this.#assertKnown(requests);
    if (transaction === undefined) return await this.#client.enqueuer.enqueueBatch(requests, idempotencyKey);
    const enqueued = await enqueueInTransaction(transaction, requests);
    return enqueued.map(({ job }) => job.id);
  }

  /** The job, or undefined where there is none with this id. */
  async find(id: string): Promise<Job | undefined> {
    return await this.#client.browser.find(id).catch((error: unknown) => {
      if (error instanceof NotFound) return undefined;
      throw error;
    });
  }

  /** Runs the application's jobs in this process. Resolves when it takes jobs. */
  async startWorker(): Promise<RunningWorker> {
    const worker = new Worker({ config: this.#config, name: processName('worker'), app: this.#app });
    this.#workers.add(worker);
    await worker.start(this.#stopping.signal);
    return {
      stop: async () => {
        this.#workers.delete(worker);
        await worker.stop();
      },
    };
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
  }

  async #stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all([...this.#workers].map((worker) => worker.stop()));
    await this.#client.stop();
  }

  /** Before anything is written: a job that the application's workers do not know, or in a queue that they do not serve, would wait for ever. */
  #assertKnown(requests: readonly EnqueueRequest[]): void {
    const { name, definitions, queues } = this.#app;
    for (const { definition, queue } of requests) {
      if (definitions.get(definition.type) !== definition)
        throw new InvalidInput(
          'unknown_type',
          `application "${name}" has no such job type "${definition.type}"`,
        );
      if (queue !== undefined && !queues.has(queue))
        throw new InvalidInput('unknown_queue', `application "${name}" has no queue "${queue}"`);
    }
  }
}
