/**
 * Warren as a library: what an application holds to enqueue jobs, look at them and run workers, in its own process.
 *
 * Guarantees: nothing is opened before `start`; `start` and `stop` may be called twice; two instances share nothing; no environment variable is read.
 */

import type { Hono } from 'hono';
import type { HttpOptions, MountedApi } from '#api/mounted-api.ts';
import { createMountedApi } from '#api/mounted-api.ts';
import { QueueClient } from '#queue/client.ts';
import { enqueueInTransaction } from '#queue/enqueue-in-transaction.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import type { Enqueued, JobDefinition } from '#shared/job/job.ts';
import { Events } from '#shared/observe/events.ts';
import type { InstanceLog } from '#shared/observe/instance-log.ts';
import { openInstanceLog } from '#shared/observe/instance-log.ts';
import { ApplicationServices } from '#shared/postgres/application-services.ts';
import { migrate } from '#shared/postgres/migrate/migrate.ts';
import type { Config } from '#shared/settings/config.ts';
import { processName, readConfig } from '#shared/settings/config.ts';
import { findUnverifiedServers } from '#shared/settings/transport-security.ts';
import type { WarrenJobs } from '#warren-jobs.ts';
import { createWarrenJobs } from '#warren-jobs.ts';
import type {
  ManyElement,
  RunningWorker,
  WarrenEnqueueOptions,
  WarrenOptions,
  WorkerOptions,
} from '#warren-options.ts';
import { assertNoKey, toRequest, withWorkerOptions } from '#warren-options.ts';
import { Worker } from '#worker/worker.ts';

export class Warren {
  readonly #app: App;
  readonly #config: Config;
  readonly #events = new Events();
  readonly #log: InstanceLog;
  readonly #client: QueueClient;
  /** For the application's own routes, where it has some and its HTTP face is used. */
  readonly #services: ApplicationServices;
  readonly #stopping = new AbortController();
  readonly #workers = new Set<Worker>();
  readonly #mounted = new Set<MountedApi>();
  readonly jobs: WarrenJobs;
  readonly #entered = Promise.withResolvers<void>();
  #isEntered = false;
  #workersStarted = 0;
  #started: Promise<void> | undefined;
  #stopped: Promise<void> | undefined;

  /** Throws `Misconfigured` with all that is wrong with the settings. */
  constructor({ app, databaseUrl, amqpUrl, settings = {}, log = false }: WarrenOptions) {
    this.#app = app;
    this.#config = readConfig('worker', app, { ...settings, DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl });
    const { poolMin: min, poolMax: max, publisherChannels: channels } = this.#config;
    const [level, stream] = [this.#config.logLevel, process.stdout];
    this.#log = openInstanceLog(log, { events: this.#events, name: app.name, level, stream });
    const name = processName('api');
    this.#client = new QueueClient({
      app,
      events: this.#events,
      name,
      database: { url: databaseUrl, isPooled: this.#config.databaseDirectUrl !== undefined, min, max },
      amqpUrl,
      channels,
    });
    this.#services = new ApplicationServices(app, {
      url: databaseUrl,
      isPooled: this.#config.databaseDirectUrl !== undefined,
      name: `${name} routes`,
      max: this.#config.jobsPoolMax,
      events: this.#events,
    });
    this.jobs = createWarrenJobs(this.#client, this.#stopping.signal);
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

  /** Resolves when jobs can be enqueued: Postgres is there and its schema is current. RabbitMQ may still be away. Throws `Misconfigured`; may be called again then. */
  start(): Promise<void> {
    this.#started ??= this.#start().catch((error: unknown) => {
      this.#started = undefined;
      throw error;
    });
    return this.#started;
  }

  /** Resolves when the row is committed. Throws `InvalidInput`, `Conflict` or `Unavailable`; within a transaction also what its client throws. */
  async enqueue<Args, Input>(
    job: JobDefinition<Args, Input>,
    args: NoInfer<Input>,
    { transaction, idempotencyKey, ...options }: WarrenEnqueueOptions = {},
  ): Promise<Enqueued> {
    const request = toRequest(this.#app, { job: job as JobDefinition, args, options }, '/options');
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
      toRequest(this.#app, element as ManyElement<unknown>, `/jobs/${index}/options`),
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
      openServices: async () => {
        await this.#entered.promise;
        return await this.#services.openAtLast(this.#stopping.signal);
      },
      access,
    });
    this.#mounted.add(mounted);
    return mounted.app;
  }

  /** Runs the application's jobs in this process. Resolves when it takes jobs. Throws `Misconfigured`, and `Unavailable` where the instance is stopped. */
  async startWorker(options: WorkerOptions = {}): Promise<RunningWorker> {
    this.#stopping.signal.throwIfAborted();
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
      await worker.stop();
      this.#workers.delete(worker); // not before: `Warren.stop` waits for it
    };
    try {
      await worker.start(this.#stopping.signal);
      this.#stopping.signal.throwIfAborted();
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
    for (const sentence of findUnverifiedServers(this.#config)) this.#log.warn(sentence);
    this.#client.start();
    await this.#client.enter(this.#stopping.signal);
    this.#isEntered = true;
    this.#entered.resolve();
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new Unavailable('stopping', 'Warren is being stopped'));
    await Promise.all([...this.#workers].map((worker) => worker.stop()));
    for (const mounted of this.#mounted) mounted.stop();
    await this.#client.stop();
    await this.#services.close();
    await this.#log.close();
  }

  #phase(): 'starting' | 'serving' | 'stopping' {
    if (this.#stopping.signal.aborted) return 'stopping';
    return this.#isEntered ? 'serving' : 'starting';
  }
}
