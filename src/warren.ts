/**
 * Warren as a library: what an application holds to enqueue jobs, look at them and run workers, in its own process.
 *
 * Guarantees: nothing is opened before `start`; `start` and `stop` may be called twice; two instances share nothing; no environment variable is read.
 */

import type { Hono } from 'hono';
import type { GrpcOptions, RunningGrpc } from '#api/grpc/started-grpc.ts';
import { startGrpc } from '#api/grpc/started-grpc.ts';
import type { HttpOptions, MountedApi } from '#api/mounted-api.ts';
import { createMountedApi } from '#api/mounted-api.ts';
import type { Audit } from '#queue/audit.ts';
import { QueueClient } from '#queue/client.ts';
import type { DeadLetters } from '#queue/dead-letters.ts';
import { enqueueInTransaction } from '#queue/enqueue-in-transaction.ts';
import type { QueueControl } from '#queue/queue-control.ts';
import { reencryptJobs } from '#queue/reencrypt.ts';
import type { Schedules } from '#queue/schedules/schedules.ts';
import type { TypeControl } from '#queue/type-control.ts';
import type { Workers } from '#queue/workers.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import type { Enqueued, JobDefinition } from '#shared/job/job.ts';
import { openJob } from '#shared/job/opened-job.ts';
import { Events } from '#shared/observe/events.ts';
import type { InstanceLog } from '#shared/observe/instance-log.ts';
import { openInstanceLog } from '#shared/observe/instance-log.ts';
import { ApplicationServices } from '#shared/postgres/application-services.ts';
import { migrate } from '#shared/postgres/migrate/migrate.ts';
import type { Config } from '#shared/settings/config.ts';
import { processName, readConfig } from '#shared/settings/config.ts';
import { findUnverifiedServers } from '#shared/settings/transport-security.ts';
import type { WarrenBatches } from '#warren-batches.ts';
import { createWarrenBatches } from '#warren-batches.ts';
import type { WarrenEvents } from '#warren-events.ts';
import { createWarrenEvents } from '#warren-events.ts';
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
  readonly #grpc = new Set<Promise<RunningGrpc>>();
  readonly jobs: WarrenJobs;
  /**
   * `events(filter)`: what happens to jobs, in whichever process (docs/watching.md). `events.subscribe(name, listener)`: what happens in this instance and its
   * workers, and in no other (docs/events.md).
   */
  readonly events: WarrenEvents;
  /** Jobs that belong together (docs/batches.md). */
  readonly batches: WarrenBatches;
  /** Schedules of the database, those of other applications among them (docs/schedules.md). */
  readonly schedules: Schedules;
  /** Queues, while the programs run (docs/queues.md). */
  readonly queues: QueueControl;
  /** Job types, while the programs run (docs/queues.md). */
  readonly types: TypeControl;
  /** Workers, of all applications on the database (docs/workers.md). */
  readonly workers: Workers;
  /** Who did what over HTTP and gRPC, and whatever else is recorded there (docs/audit.md). */
  readonly audit: Audit;
  /** Messages that no worker could use (docs/dead-letters.md). */
  readonly deadLetters: DeadLetters;
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
      queueType: this.#config.queueType,
      channels,
      encryption: this.#config.encryption,
      workerQueues: this.#config.workerQueues,
      maxWatchers: this.#config.eventWatchersMax,
    });
    this.#services = new ApplicationServices(app, {
      url: databaseUrl,
      isPooled: this.#config.databaseDirectUrl !== undefined,
      name: `${name} routes`,
      max: this.#config.jobsPoolMax,
      events: this.#events,
    });
    const { encryption } = this.#config;
    this.jobs = createWarrenJobs(this.#client, {
      stopping: this.#stopping.signal,
      open: (job) => openJob(job, app.definitions, encryption),
      reencrypt: (given) => reencryptJobs({ database: this.#client.database, app, encryption }, given),
    });
    this.events = createWarrenEvents(this.#client.jobEvents, this.#events);
    this.batches = createWarrenBatches(app, this.#client.batches);
    this.schedules = this.#client.schedules;
    this.queues = this.#client.queueControl;
    this.types = this.#client.typeControl;
    this.workers = this.#client.workers;
    this.audit = this.#client.audit;
    this.deadLetters = this.#client.deadLetters;
  }

  /** Brings the schema `warren` up to date. Resolves with the names of the migrations that were applied. */
  async migrate(): Promise<{ applied: string[] }> {
    const { databaseUrl, databaseDirectUrl } = this.#config;
    return await migrate({ databaseUrl: databaseDirectUrl ?? databaseUrl, app: this.#app });
  }

  /** Resolves when jobs can be enqueued: Postgres is there and its schema is current. RabbitMQ may still be away. Throws `Misconfigured`; may be called again then. Throws `Unavailable` where the instance is stopped, before or meanwhile. */
  async start(): Promise<void> {
    this.#stopping.signal.throwIfAborted();
    this.#started ??= this.#start().catch((error: unknown) => {
      this.#started = undefined;
      throw error;
    });
    await this.#started;
  }

  /** Resolves when the row is committed. Throws `InvalidInput`, `Conflict`, `QueueFull` or `Unavailable`; within a transaction also what its client throws. */
  async enqueue<Args, Input>(
    job: JobDefinition<Args, Input>,
    args: NoInfer<Input>,
    { transaction, idempotencyKey, ...options }: WarrenEnqueueOptions = {},
  ): Promise<Enqueued> {
    const request = toRequest(this.#app, { job: job as JobDefinition, args, options }, '/options');
    if (transaction === undefined)
      return this.#opened(await this.#client.enqueuer.enqueue(request, idempotencyKey));
    assertNoKey(idempotencyKey);
    const [enqueued] = await enqueueInTransaction(transaction, [request], this.#wrapping);
    return this.#opened(enqueued as Enqueued);
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
    const enqueued = await enqueueInTransaction(transaction, requests, this.#wrapping);
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
      traceUrlTemplate: this.#config.traceUrlTemplate,
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

  /** Serves `warren.v1.Jobs` over gRPC on a port of its own (docs/grpc.md). Resolves when it listens. Throws `Misconfigured` where it may not or cannot, and `Unavailable` where the instance is stopped. */
  async startGrpc(given: GrpcOptions): Promise<RunningGrpc> {
    this.#stopping.signal.throwIfAborted();
    const starting = startGrpc({
      app: this.#app,
      client: this.#client,
      events: this.#events,
      bodyBytes: this.#config.apiBodyBytes,
      traceUrlTemplate: this.#config.traceUrlTemplate,
      phase: () => this.#phase(),
      given,
    });
    this.#grpc.add(starting);
    return await starting;
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
    const stopped = Promise.withResolvers<void>();
    const stopOnce = async () => {
      await stop();
      stopped.resolve();
    };
    void worker.drainRequested.then(stopOnce);
    return { stop: stopOnce, stopped: stopped.promise, [Symbol.asyncDispose]: stopOnce };
  }

  /** Drains the workers, waits for what is being published, closes every connection. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  get #wrapping() {
    return { app: this.#app, encryption: this.#config.encryption };
  }

  /** The holder of a unique key comes as its row is. */
  #opened(enqueued: Enqueued): Enqueued {
    if (enqueued.created) return enqueued;
    return { ...enqueued, job: openJob(enqueued.job, this.#app.definitions, this.#config.encryption) };
  }

  async #start(): Promise<void> {
    for (const sentence of findUnverifiedServers(this.#config)) this.#log.warn(sentence);
    this.#client.start();
    await this.#client.enter(this.#stopping.signal);
    this.#stopping.signal.throwIfAborted();
    this.#isEntered = true;
    this.#entered.resolve();
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new Unavailable('stopping', 'Warren is being stopped'));
    this.#entered.resolve(); // who waits for the start is told that this is the end
    this.#client.endWaits();
    await Promise.all([
      ...[...this.#workers].map((worker) => worker.stop()),
      ...[...this.#grpc].map((grpc) => grpc.then(({ stop }) => stop(), ignoreFailedStart)),
    ]);
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

/** Whoever has called `startGrpc` was told. */
function ignoreFailedStart(): void {}
