/**
 * A worker: N consumers per queue, one loop each, and what they share. Starts and stops the parts in order, and passes notices on.
 *
 * Stopping: no new deliveries → what runs may finish within the drain time → the rest is aborted and handed back uncharged → the
 * acknowledgements reach the broker → channels, connections, presence, pool.
 */
import { pause, resolvedWithin } from '#shared/base/backoff.ts';
import type { Check } from '#shared/base/health-check.ts';
import type { App } from '#shared/job/app.ts';
import type { Events } from '#shared/observe/events.ts';
import { ApplicationServices } from '#shared/postgres/application-services.ts';
import { Database } from '#shared/postgres/database.ts';
import { enterDatabase } from '#shared/postgres/enter-database.ts';
import { Presence } from '#shared/postgres/presence.ts';
import { BrokerConnection, NO_BROKER } from '#shared/rabbitmq/connection.ts';
import { Publisher } from '#shared/rabbitmq/publisher.ts';
import { prepareTopology } from '#shared/rabbitmq/topology.ts';
import type { Config } from '#shared/settings/config.ts';
import { ArgsRoom } from './args-room.ts';
import { Attempts } from './attempt.ts';
import { Claimer } from './claimer.ts';
import { Completer } from './completer.ts';
import type { DeadLetter } from './consumer.ts';
import { Consumer } from './consumer.ts';
import { FallbackLane } from './fallback-lane.ts';
import { ForeignJobs } from './foreign-jobs.ts';
import type { Standing } from './health.ts';
import { checkWorker } from './health-checks.ts';
import { createChores } from './maintenance/chores.ts';
import { Maintenance } from './maintenance/maintenance.ts';
import { createNoticeHandler } from './notice-handler.ts';
import { createQuarantine } from './quarantine/quarantine.ts';
import { RowLooks } from './row-looks.ts';
import type { DeliveryHandlers } from './run-delivery.ts';
import { runDelivery } from './run-delivery.ts';
import { UnknownJobs } from './unknown-jobs.ts';

/** What aborted handlers, and the records of their outcomes, may take. */
const ABORTED_MS = 2_000;
/** RabbitMQ buffers acknowledgements beyond 32 in the channel's process and loses them when the channel closes. */
const ACKS_SETTLE_MS = 250;
/** What closing may take, whoever is silent. */
const LET_GO_MS = 6_000;
/** How long the broker may be away before jobs are taken straight from Postgres. */
const FALLBACK_AFTER_MS = 2_000;
const DEAD_LETTER_DEADLINE_MS = 5_000;
/** How long a consumer that should be registered may be missing, in milliseconds. */
const CONSUMERS_MISSING_MS = 60_000;

export interface WorkerOptions {
  config: Config;
  /** The name of its connections. */
  name: string;
  app: App;
  /** Told of what happens in it. */
  events: Events;
}

export class Worker {
  readonly database: Database;
  readonly argsRoom: ArgsRoom;
  readonly connection: BrokerConnection;
  readonly #config: Config;
  readonly #app: App;
  readonly #events: Events;
  readonly #queues: readonly string[];
  readonly #name: string;
  readonly #presence: Presence;
  readonly #services: ApplicationServices;
  readonly #consumers: Consumer[];
  readonly #claimer: Claimer;
  readonly #attempts: Attempts;
  readonly #handlers: DeliveryHandlers;
  readonly #fallbackLane: FallbackLane;
  readonly #maintenance: Maintenance;
  readonly #rowLooks: RowLooks;
  readonly #stopping = new AbortController();
  /** Aborts when records are no longer tried again. */
  readonly #givingUp = new AbortController();
  #publisher: Publisher | undefined;

  constructor({ config, name, app, events }: WorkerOptions) {
    this.#events = events;
    this.#app = app;
    this.#queues = [...app.queues.keys()];
    this.#config = config;
    const types = [...app.definitions.keys()];
    this.#name = name;
    const place = { url: config.databaseUrl, isPooled: config.databaseDirectUrl !== undefined };
    const database = new Database({ ...place, name, min: config.poolMin, max: config.poolMax, events });
    this.database = database;
    this.argsRoom = new ArgsRoom(config.workerArgsMaxBytes);
    this.#presence = new Presence({
      url: config.databaseDirectUrl ?? config.databaseUrl,
      name,
      delivered: () => this.#claimer.delivered,
      serves: { queues: config.workerQueues.map(({ queue }) => queue), types },
      onNotice: (notice) => onNotice(notice),
      onHeld: () => this.#onPresenceHeld(),
      onLeading: () => this.#maintenance.wakeAll(),
      onLost: (error) => events.publish('presence.lost', { error }),
    });
    const { jobsPoolMax: max, logLevel } = config;
    const services = new ApplicationServices(app, { ...place, name: `${name} jobs`, max, events });
    this.#services = services;
    this.connection = new BrokerConnection({
      url: config.amqpUrl,
      name,
      events,
      prepare: (model) => prepareTopology(model, this.#queues),
    });
    this.#claimer = new Claimer({ database, events, presence: this.#presence, room: this.argsRoom, types });
    this.#attempts = new Attempts({
      claimer: this.#claimer,
      completer: new Completer({ database, events, giveUp: this.#givingUp.signal }),
      definitions: app.definitions,
      resources: () => ({ services: services.services, settings: config, sql: services.sql, events }),
      events,
      quarantine: createQuarantine({ events, module: app.module, logLevel, place, name }),
      giveUp: this.#givingUp.signal,
    });
    const deadLetter = (letter: DeadLetter) => this.#deadLetter(letter);
    this.#handlers = {
      attempts: this.#attempts,
      unknownJobs: new UnknownJobs({ database, events, deadLetter, giveUp: this.#givingUp.signal }),
      foreignJobs: new ForeignJobs({ database, events, queues: config.workerQueues }),
    };
    this.#consumers = config.amqpUrl === NO_BROKER ? [] : this.#createConsumers();
    this.#fallbackLane = new FallbackLane({
      events,
      queues: config.workerQueues,
      isNeeded: () =>
        this.connection.lostForMs > FALLBACK_AFTER_MS || this.#publisher?.connection.blocked === true,
      claimNext: (wanted) => this.#attempts.claimNext(wanted),
      run: (claim) => this.#attempts.runClaimed(claim),
      runningIn: (queue) => this.#attempts.runningIn(queue),
    });
    const chores = createChores({
      database,
      events,
      publisher: () => this.#openPublisher(),
      wakeRelay: () => this.#maintenance.wake('relay'),
      kept: config,
    });
    this.#maintenance = new Maintenance({ presence: this.#presence, chores, events });
    this.#rowLooks = this.#createRowLooks();
    const told = { attempts: this.#attempts, rowLooks: this.#rowLooks, maintenance: this.#maintenance };
    const onNotice = createNoticeHandler({ ...told, fallbackLane: this.#fallbackLane });
  }

  /** Rejects with `Misconfigured` where the broker can never serve this worker. */
  get failed(): Promise<never> {
    return this.connection.failed;
  }

  /** Resolves when the schema was seen and every part is started; the broker may still be away. Ends early when `stopping` aborts. */
  async start(stopping: AbortSignal): Promise<void> {
    this.database.start();
    await enterDatabase({ database: this.database, app: this.#app, events: this.#events, stopping });
    if (stopping.aborted) return;
    await this.#services.open();
    this.#presence.start();
    this.connection.start();
    await this.#presence.heldOnce(); // nothing can be claimed before
    if (!this.#stopping.signal.aborted) await this.#rowLooks.atPausedQueues();
    if (this.#stopping.signal.aborted) return;
    for (const consumer of this.#consumers) consumer.start();
    this.#fallbackLane.start();
    this.#maintenance.start();
    this.#rowLooks.start();
  }

  /** How many jobs run now: what `stop` waits for, as long as the drain time allows. */
  get runningJobs(): number {
    return this.#attempts.running;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#rowLooks.drain();
    this.#attempts.drain();
    this.#handlers.unknownJobs.drain();
    this.#handlers.foreignJobs.drain();
    for (const consumer of this.#consumers) consumer.pause();
    const idle = Promise.all([
      this.#attempts.idle(),
      this.#fallbackLane.drain(),
      Promise.all(this.#consumers.map((consumer) => consumer.idle())).then(() =>
        this.#handlers.unknownJobs.idle(),
      ),
    ]);
    await resolvedWithin(idle, this.#config.drainTimeoutMs);
    this.#attempts.abort();
    await resolvedWithin(idle, ABORTED_MS);
    this.#givingUp.abort();
    await resolvedWithin(this.#letGo(), LET_GO_MS);
  }

  /** Everything that others wait for, in order. */
  async #letGo(): Promise<void> {
    const chores = this.#maintenance.stop();
    await pause(ACKS_SETTLE_MS);
    await Promise.all(this.#consumers.map((consumer) => consumer.close()));
    await this.#attempts.handBackUnfinished(); // needs Postgres alone: not behind a silent broker
    await Promise.all([chores, this.#rowLooks.stop(), this.connection.stop()]);
    await this.#publisher?.stop();
    await this.#presence.stop();
    await Promise.all([this.database.stop(), this.#services.close()]);
  }

  /** For /metrics. */
  get standing(): Standing {
    const registered = this.#consumers.filter((consumer) => consumer.ready).length;
    return {
      lane: this.#fallbackLane.isActive ? 'postgres' : 'rabbitmq',
      isPresent: this.#presence.held,
      isLeader: this.#presence.leader,
      consumers: { registered, wanted: this.#consumers.length },
    };
  }

  /** For /readyz: what this worker needs, each by name. */
  checks(): Promise<Record<string, Check>> {
    return checkWorker({
      database: this.database,
      connection: this.connection,
      standing: this.standing,
      isAccepting: !this.#stopping.signal.aborted,
    });
  }

  /** For /livez: false where the broker is there and a consumer has been missing for a minute all the same. A restart would bring it back. */
  get alive(): boolean {
    if (this.connection.openForMs < CONSUMERS_MISSING_MS) return true;
    return this.#consumers.every((consumer) => consumer.unreadyForMs < CONSUMERS_MISSING_MS);
  }

  #createConsumers(): Consumer[] {
    const at = this.#name.slice(this.#name.indexOf('@'));
    return this.#config.workerQueues.flatMap(({ queue, channels, prefetch }) =>
      Array.from({ length: channels }, (_, index) => {
        return new Consumer({
          connection: this.connection,
          events: this.#events,
          queue,
          prefetch,
          priority: -index, // the first channels of all workers take turns, so that single jobs do not clump on the channels of one
          tag: `${queue}.${index + 1}${at}`,
          run: (delivery) => runDelivery(this.#handlers, delivery),
          deadLetter: (letter) => this.#deadLetter(letter),
        });
      }),
    );
  }

  async #deadLetter(letter: DeadLetter): Promise<void> {
    const publisher = this.#openPublisher();
    await publisher.connection.opened(DEAD_LETTER_DEADLINE_MS);
    await publisher.deadLetter(letter);
  }

  /** A connection of its own, opened by the first who publishes: one that has published would be blocked by an alarm, acknowledgements included. */
  #openPublisher(): Publisher {
    if (this.#publisher === undefined) {
      const { amqpUrl: url } = this.#config;
      const own = { name: this.#name, queues: this.#queues, events: this.#events };
      this.#publisher = new Publisher({ url, channels: 1, ...own });
      this.#publisher.start();
    }
    return this.#publisher;
  }

  #createRowLooks(): RowLooks {
    return new RowLooks({
      database: this.database,
      events: this.#events,
      owner: () => this.#presence.owner,
      mayHold: () => this.#claimer.mayHold,
      cancel: (jobId) => this.#attempts.cancel(jobId),
      runUnheard: (jobIds) => this.#attempts.runUnheard(jobIds),
      applyPauses: (paused) => {
        for (const consumer of this.#consumers) {
          if (paused.has(consumer.queue)) consumer.pause();
          else consumer.resume();
        }
      },
    });
  }

  #onPresenceHeld(): void {
    this.#events.publish('presence.held', { owner: this.#presence.owner ?? '' });
    void this.#rowLooks.atPausedQueues();
    void this.#rowLooks.atOwnJobs();
  }
}
