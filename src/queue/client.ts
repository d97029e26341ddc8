/**
 * What a face holds (HTTP, command line, library): its connections to the two servers, and the use cases on them.
 *
 * Guarantees: opens nothing before `start`; `stop` waits for what is being published. A face parses, calls a use case and presents; it runs no
 * statement and sends no message of its own.
 */
import type { Check } from '#shared/base/health-check.ts';
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import type { GaugeSource } from '#shared/observe/metrics/gauge-source.ts';
import { checkPostgres } from '#shared/postgres/check-postgres.ts';
import type { DatabaseOptions } from '#shared/postgres/database.ts';
import { Database } from '#shared/postgres/database.ts';
import { enterDatabase } from '#shared/postgres/enter-database.ts';
import { checkRabbitmq } from '#shared/rabbitmq/check-rabbitmq.ts';
import { Publisher } from '#shared/rabbitmq/publisher.ts';
import { connectionGauge, depthGauges } from './broker-gauges.ts';
import type { Browser } from './browse.ts';
import { createBrowser } from './browse.ts';
import type { Control } from './control.ts';
import { createControl } from './control.ts';
import { databaseGauges, jobsGauge, unknownTypesGauge } from './database-gauges.ts';
import { Enqueuer } from './enqueue.ts';

export interface QueueClientOptions {
  app: App;
  events: Events;
  /** The name of its connections. */
  name: string;
  database: Omit<DatabaseOptions, 'name' | 'events'>;
  amqpUrl: string;
  /** Confirm channels. */
  channels: number;
}

export class QueueClient {
  readonly enqueuer: Enqueuer;
  readonly control: Control;
  readonly browser: Browser;
  /** For an application's own statements (an order that is looked up before its job is enqueued). */
  readonly database: Database;
  readonly #app: App;
  readonly #events: Events;
  readonly #publisher: Publisher;
  #isStarted = false;

  constructor({ app, events, name, database: databaseOptions, amqpUrl, channels }: QueueClientOptions) {
    const queues = [...app.queues.keys()];
    const database = new Database({ ...databaseOptions, name, events });
    const publisher = new Publisher({ url: amqpUrl, name, channels, queues, events });
    this.enqueuer = new Enqueuer({ database, publisher, app, events });
    this.control = createControl({ database, events, outbox: this.enqueuer, queues });
    this.browser = createBrowser({ database, connection: publisher.connection, queues });
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

  /** Waits for confirms and marks that are under way, and closes the connections. */
  async stop(): Promise<void> {
    await this.#publisher.stop();
    await this.enqueuer.stop();
    await this.database.stop();
  }
}
