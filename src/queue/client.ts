/**
 * What a face holds (HTTP, command line, library): its connections to the two servers, and the use cases on them.
 *
 * Guarantees: opens nothing before `start`; `stop` waits for what is being published. A face parses, calls a use case and presents; it runs no
 * statement and sends no message of its own.
 */
import type { Check } from '#shared/base/health-check.ts';
import type { App } from '#shared/job/app.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import type { Events } from '#shared/observe/events.ts';
import type { GaugeSource } from '#shared/observe/metrics/gauge-source.ts';
import { checkPostgres } from '#shared/postgres/check-postgres.ts';
import type { DatabaseOptions } from '#shared/postgres/database.ts';
import { Database } from '#shared/postgres/database.ts';
import { enterDatabase } from '#shared/postgres/enter-database.ts';
import { checkRabbitmq } from '#shared/rabbitmq/check-rabbitmq.ts';
import { Publisher } from '#shared/rabbitmq/publisher.ts';
import type { QueueType } from '#shared/rabbitmq/topology.ts';
import type { Audit } from './audit.ts';
import { createAudit } from './audit.ts';
import type { Batches } from './batches/batches.ts';
import { createBatches } from './batches/batches.ts';
import { connectionGauge, depthGauges } from './broker-gauges.ts';
import type { Browser } from './browse.ts';
import { createBrowser } from './browse.ts';
import type { Bulk } from './bulk/bulk.ts';
import { createBulk } from './bulk/bulk.ts';
import type { Control } from './control.ts';
import { createControl } from './control.ts';
import { databaseGauges, jobsGauge, unknownTypesGauge } from './database-gauges.ts';
import type { DeadLetters } from './dead-letters.ts';
import { createDeadLetters } from './dead-letters.ts';
import { Enqueuer } from './enqueue.ts';
import { EventHub } from './events/event-hub.ts';
import type { Explain } from './explain/explain.ts';
import { createExplain } from './explain/explain.ts';
import type { Limits } from './gates/limits.ts';
import { createLimits } from './gates/limits.ts';
import type { FindOverview } from './overview.ts';
import { createOverview } from './overview.ts';
import type { QueueControl } from './queue-control.ts';
import { createQueueControl } from './queue-control.ts';
import type { Schedules } from './schedules/schedules.ts';
import { createSchedules } from './schedules/schedules.ts';
import type { TypeControl } from './type-control.ts';
import { createTypeControl } from './type-control.ts';
import { JobWatcher } from './watch.ts';
import type { Workers } from './workers.ts';
import { createWorkers } from './workers.ts';

export interface QueueClientOptions {
  app: App;
  events: Events;
  /** The name of its connections. */
  name: string;
  database: Omit<DatabaseOptions, 'name' | 'events'>;
  amqpUrl: string;
  /** Defaults to `quorum`. */
  queueType?: QueueType | undefined;
  /** Confirm channels. */
  channels: number;
  /** Of encrypted job types. Defaults to no keys. */
  encryption?: Encryption | undefined;
  /** The queues as the workers serve them. Defaults to those of the application. */
  workerQueues?: readonly { queue: string; prefetch: number }[] | undefined;
  /** How many may watch events at once. Defaults to 100. */
  maxWatchers?: number | undefined;
}

export class QueueClient {
  readonly enqueuer: Enqueuer;
  readonly control: Control;
  readonly bulk: Bulk;
  readonly queueControl: QueueControl;
  readonly typeControl: TypeControl;
  readonly browser: Browser;
  readonly overview: FindOverview;
  readonly explain: Explain;
  readonly workers: Workers;
  readonly audit: Audit;
  readonly deadLetters: DeadLetters;
  readonly limits: Limits;
  readonly schedules: Schedules;
  readonly watcher: JobWatcher;
  readonly jobEvents: EventHub;
  readonly batches: Batches;
  /** For an application's own statements (an order that is looked up before its job is enqueued). */
  readonly database: Database;
  readonly #app: App;
  readonly #events: Events;
  readonly #publisher: Publisher;
  readonly #leaving = new AbortController();
  #isStarted = false;

  constructor({
    app,
    events,
    name,
    database: databaseOptions,
    amqpUrl: url,
    queueType,
    channels,
    encryption,
    workerQueues = [],
    maxWatchers,
  }: QueueClientOptions) {
    const queues = [...app.queues.keys()];
    const database = new Database({ ...databaseOptions, name, events });
    const publisher = new Publisher({ url, name, channels, queues, queueType, events });
    const prefetches = new Map(workerQueues.map(({ queue, prefetch }) => [queue, prefetch]));
    this.enqueuer = new Enqueuer({ database, publisher, app, events, prefetches, encryption });
    this.control = createControl({ database, events, app, encryption, outbox: this.enqueuer });
    this.bulk = createBulk({ database, enqueuer: this.enqueuer, app, encryption });
    this.batches = createBatches({ database, events, app, encryption, enqueuer: this.enqueuer });
    this.limits = createLimits({ database, admit: (gates) => this.enqueuer.admit(gates) });
    this.browser = createBrowser({
      database,
      connection: publisher.connection,
      queues,
      definitions: app.definitions,
    });
    this.workers = createWorkers(database);
    const { browser, workers } = this;
    this.audit = createAudit({ database, events });
    this.deadLetters = createDeadLetters({ database, connection: publisher.connection, events });
    this.explain = createExplain({ database, checkBroker: () => checkRabbitmq(publisher.connection) });
    this.watcher = new JobWatcher({ database, browser: this.browser });
    this.jobEvents = new EventHub({ database, events, maxWatchers });
    this.typeControl = createTypeControl(database);
    this.overview = createOverview({
      database,
      connection: publisher.connection,
      browser,
      workers,
      types: this.typeControl,
    });
    this.queueControl = createQueueControl({
      database,
      events,
      depths: this.enqueuer.depths,
      browser: this.browser,
      queues,
    });
    this.schedules = createSchedules({ database, app, events, encryption, outbox: this.enqueuer });
    this.database = database;
    this.#app = app;
    this.#events = events;
    this.#publisher = publisher;
  }

  /** Rejects with `Misconfigured` where the broker can never serve this process. */
  get failed(): Promise<never> {
    return this.#publisher.connection.failed;
  }

  /** Begins to connect. Again, it does nothing. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.database.start();
    this.#publisher.start();
  }

  /** Resolves when Postgres is there and its schema is current. Throws `Misconfigured` where the schema is older. Ends early when `stopping` aborts. */
  async enter(stopping: AbortSignal): Promise<void> {
    await enterDatabase({ database: this.database, app: this.#app, events: this.#events, stopping });
  }

  /** The two servers, in the words of /readyz. Never rejects. */
  async check(): Promise<{ postgres: Check; rabbitmq: Check }> {
    return {
      postgres: await checkPostgres(this.database),
      rabbitmq: checkRabbitmq(this.#publisher.connection),
    };
  }

  /** What the fleet has in common, and this process's own connections. */
  get gauges(): GaugeSource[] {
    const queues = [...this.#app.queues.keys()];
    const { connection } = this.#publisher;
    return [
      ...databaseGauges(this.database, queues),
      jobsGauge(this.database, queues),
      unknownTypesGauge(this.database),
      connectionGauge(connection),
      ...depthGauges(() => connection, queues),
    ];
  }

  /** Aborts when nobody may wait any longer for what happens to jobs. */
  get waiting(): AbortSignal {
    return this.#leaving.signal;
  }

  /** Ends the requests that wait for the end of a job, and the streams of events: they would outlast a drain. The first thing in a stop. */
  endWaits(): void {
    this.#leaving.abort();
    void this.jobEvents.stop();
  }

  /** Waits for confirms and marks that are under way, and closes the connections. */
  async stop(): Promise<void> {
    this.endWaits();
    await Promise.all([this.watcher.stop(), this.jobEvents.stop()]);
    await this.#publisher.stop();
    await this.enqueuer.stop();
    await this.database.stop();
  }
}
