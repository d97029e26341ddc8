/**
 * A worker: N consumers per queue and what they share, started and stopped in order.
 *
 * Stopping: no new deliveries → what runs may finish within the drain time → the rest is aborted and handed back uncharged → the
 * acknowledgements reach the broker → channels, connections, presence, pool.
 */

import { tellSchedules } from '#queue/schedules/tell-schedules.ts';
import { resolvedWithin, sleep } from '#shared/base/backoff.ts';
import type { Check } from '#shared/base/health-check.ts';
import type { Database } from '#shared/postgres/database.ts';
import { enterDatabase } from '#shared/postgres/enter-database.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import type { ArgsRoom } from './args-room.ts';
import { WORKER_GRANTS } from './grants.ts';
import type { Standing } from './health.ts';
import { checkWorker } from './health-checks.ts';
import { ACKS_SETTLE_MS } from './queue-consumers.ts';
import type { WorkerOptions, WorkerParts } from './worker-parts.ts';
import { createWorkerParts } from './worker-parts.ts';

/** What aborted handlers, and the records of their outcomes, may take. */
const ABORTED_MS = 2_000;
/** What closing may take, whoever is silent. */
const LET_GO_MS = 6_000;
/** How long a consumer that should be registered may be missing, in milliseconds. */
const CONSUMERS_MISSING_MS = 60_000;

export class Worker {
  readonly #options: WorkerOptions;
  readonly #parts: WorkerParts;
  readonly #stopping = new AbortController();
  /** Aborts when records are no longer tried again. */
  readonly #givingUp = new AbortController();
  readonly #drainRequested = Promise.withResolvers<void>();
  #stopped: Promise<void> | undefined;

  constructor(options: WorkerOptions) {
    this.#options = options;
    this.#parts = createWorkerParts(options, {
      stopping: this.#stopping.signal,
      giveUp: this.#givingUp.signal,
      onDrainRequested: () => this.#drainRequested.resolve(),
    });
  }

  get database(): Database {
    return this.#parts.database;
  }

  get argsRoom(): ArgsRoom {
    return this.#parts.argsRoom;
  }

  get connection(): BrokerConnection {
    return this.#parts.connection;
  }

  /** Rejects with `Misconfigured` where the broker can never serve this worker. */
  get failed(): Promise<never> {
    return this.connection.failed;
  }

  /** Resolves when somebody has asked this worker to end (docs/workers.md): whoever has started it stops it. */
  get drainRequested(): Promise<void> {
    return this.#drainRequested.promise;
  }

  /** Resolves when the schema was seen and every part is started; the broker may still be away. Ends early when `stopping` aborts. */
  async start(stopping: AbortSignal): Promise<void> {
    const { database, services, presence, connection, rowLooks, queues } = this.#parts;
    const { app, events, config: kept } = this.#options;
    database.start();
    const tellMore = () => tellSchedules(database, app, kept.encryption);
    await enterDatabase({ database, app, events, kept, grants: WORKER_GRANTS, tellMore, stopping });
    if (stopping.aborted) return;
    await services.open();
    this.#parts.vitals.start();
    presence.start();
    connection.start();
    await presence.toldOnce(); // nothing can be claimed before
    if (!this.#stopping.signal.aborted) await rowLooks.atQueues();
    if (this.#stopping.signal.aborted) return;
    queues.start();
    this.#parts.fallbackLane.start();
    this.#parts.maintenance.start();
    rowLooks.start();
  }

  /** How many jobs run now: what `stop` waits for, as long as the drain time allows. */
  get runningJobs(): number {
    return this.#parts.attempts.running.handlers;
  }

  /** Resolves when everything is closed. Again, it is the same stop. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const { rowLooks, attempts, unknownJobs, foreignJobs, queues, fallbackLane } = this.#parts;
    this.#stopping.abort();
    rowLooks.drain();
    attempts.drain();
    unknownJobs.drain();
    foreignJobs.drain();
    const drained = queues.drain();
    const idle = Promise.all([attempts.idle(), fallbackLane.drain(), drained.then(() => unknownJobs.idle())]);
    await resolvedWithin(idle, this.#options.config.drainTimeoutMs);
    attempts.running.abortAll();
    await resolvedWithin(idle, ABORTED_MS);
    this.#givingUp.abort();
    await resolvedWithin(this.#letGo(), LET_GO_MS);
  }

  /** Everything that others wait for, in order. */
  async #letGo(): Promise<void> {
    const { maintenance, queues, attempts, notes, rowLooks, connection, admission, publisher, presence } =
      this.#parts;
    const chores = maintenance.stop();
    const isolates = this.#parts.isolation.stop();
    await sleep(ACKS_SETTLE_MS);
    await queues.close();
    await attempts.handBackUnfinished(); // needs Postgres alone: not behind a silent broker
    await Promise.all([chores, rowLooks.stop(), connection.stop()]);
    await Promise.all([admission.idle(), notes.stop()]);
    await publisher.stop();
    await presence.stop();
    this.#parts.vitals.stop();
    await Promise.all([this.database.stop(), this.#parts.services.close(), isolates]);
  }

  /** For /metrics. */
  get standing(): Standing {
    const { fallbackLane, presence, queues } = this.#parts;
    const { consumers } = queues;
    const registered = consumers.filter((consumer) => consumer.ready).length;
    return {
      lane: fallbackLane.isActive ? 'postgres' : 'rabbitmq',
      isPresent: presence.held,
      isLeader: presence.leader,
      consumers: { registered, wanted: consumers.length },
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
    return this.#parts.queues.consumers.every((consumer) => consumer.unreadyForMs < CONSUMERS_MISSING_MS);
  }
}
