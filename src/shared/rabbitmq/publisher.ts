/**
 * Publishes job ids on a pool of confirm channels, kept on one persistent connection: each in a message of its own, or some together.
 *
 * A publish leases a channel, writes, gives the lease back and then awaits the confirms: a lease held until the confirm would cap the
 * process at one publish per channel and round trip. A job counts as published when the broker has confirmed its message and had a queue for it.
 * Unconfirmed publishes are bounded, and each has a deadline; whatever fails here, the row stays unpublished and the relay sends it.
 * Must not know Postgres.
 */
import { randomUUID } from 'node:crypto';
import type { ChannelModel } from 'amqplib';
import { resolvedWithin } from '../base/backoff.ts';
import { Unavailable } from '../base/errors.ts';
import { nextTurn } from '../base/slices.ts';
import type { Events } from '../observe/events.ts';
import type { ChannelPool } from './channel-pool.ts';
import { closePool, openPool } from './channel-pool.ts';
import type { OutgoingMessage } from './confirming-channel.ts';
import { CONFIRM_DEADLINE_MS } from './confirming-channel.ts';
import { BrokerConnection } from './connection.ts';
import type { HintedJob } from './message.ts';
import { decodeJobIds, encodeJobIds, groupForMessages, messageOptions } from './message.ts';
import type { QueueType } from './topology.ts';
import { DEAD_EXCHANGE, EXCHANGE, prepareTopology } from './topology.ts';

/** Jobs that share a lease of a channel and a deadline. More of them are spread over the channels, and over turns of the event loop. */
const WINDOW = 500;
/** Jobs. */
const MAX_UNCONFIRMED = 20_000;
/**
 * Where a confirm takes longer the broker is behind, in milliseconds. Well below the time after which the relay publishes a row that is not marked: a
 * publisher that went on would have everything published twice, by an overloaded broker.
 */
const BEHIND_MS = 1_000;

export interface PublisherOptions {
  url: string;
  /** The connection's name. */
  name: string;
  /** Channels in the pool. */
  channels: number;
  /** Queues to declare. */
  queues: readonly string[];
  /** Defaults to `quorum`. */
  queueType?: QueueType | undefined;
  events: Events;
}

export class Publisher {
  readonly connection: BrokerConnection;
  readonly #options: PublisherOptions;
  #pool: ChannelPool | undefined;
  /** What was published together and is not confirmed yet, with the time when that began; the oldest first. */
  readonly #windows = new Set<{ since: number }>();
  #unconfirmed = 0;
  #idle = Promise.withResolvers<void>();

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.connection = new BrokerConnection({
      url: options.url,
      name: options.name,
      events: options.events,
      prepare: (model) => this.#prepare(model),
    });
  }

  start(): void {
    this.connection.start();
  }

  /** Whether a publish is worth trying now. */
  get ready(): boolean {
    if (this.connection.model === undefined || this.connection.blocked) return false;
    if (this.#unconfirmed >= MAX_UNCONFIRMED) return false;
    const [oldest] = this.#windows;
    return oldest === undefined || performance.now() - oldest.since < BEHIND_MS;
  }

  /** Jobs whose message is not confirmed yet. */
  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  /** Resolves when the broker has the message in the queue; rejects with `Unavailable` otherwise. Safe to repeat. */
  async publish(job: HintedJob): Promise<void> {
    const [failure] = await this.#send([toMessage([job])], 1);
    if (failure !== undefined) throw failure;
    this.#options.events.publish('publish.confirmed', { count: 1 });
  }

  /**
   * Publishes together what is ready together: one lease and one deadline for all, where they are not very many, and one message for as many jobs of
   * a queue as `mostTogether` says; by default each has a message of its own. Never rejects: resolves with the jobs whose message the broker has in
   * the queue, when each is confirmed or has failed.
   */
  async publishAll<Job extends HintedJob>(
    jobs: readonly Job[],
    mostTogether: (queue: string) => number = alone,
  ): Promise<Job[]> {
    const windows: Promise<Job[]>[] = [];
    for (let start = 0; start < jobs.length; start += WINDOW) {
      const window = groupForMessages(jobs.slice(start, start + WINDOW), mostTogether);
      windows.push(
        start === 0 ? this.#publishWindow(window) : nextTurn().then(() => this.#publishWindow(window)),
      );
    }
    const published = (await Promise.all(windows)).flat();
    if (published.length > 0) this.#options.events.publish('publish.confirmed', { count: published.length });
    return published;
  }

  async #publishWindow<Job extends HintedJob>(groups: readonly Job[][]): Promise<Job[]> {
    const count = groups.reduce((sum, { length }) => sum + length, 0);
    const failures = await this.#send(groups.map(toMessage), count);
    const isPublished = (group: Job[], index: number) => {
      const error = failures[index];
      if (error === undefined) return true;
      for (const { id: jobId } of group) this.#options.events.publish('publish.failed', { jobId, error });
      return false;
    };
    return groups.filter(isPublished).flat();
  }

  /** Puts a delivery that no worker can use where people look, with the reason and, where it has one, its first job's id as the message's. */
  async deadLetter({
    content,
    queue,
    reason,
  }: {
    content: Buffer;
    queue: string;
    reason: string;
  }): Promise<void> {
    const headers = { 'x-warren-reason': reason, 'x-warren-queue': queue };
    const messageId = decodeJobIds({ content })?.[0] ?? randomUUID();
    const timestamp = Math.floor(Date.now() / 1_000); // AMQP's are seconds
    const options = { persistent: true, mandatory: true, messageId, timestamp, headers };
    const [failure] = await this.#send([{ exchange: DEAD_EXCHANGE, key: queue, body: content, options }], 1);
    if (failure !== undefined) throw failure;
  }

  /** Waits for the confirms that are due (at most their deadline), then closes the channels, then the connection. */
  async stop(): Promise<void> {
    this.#idle = Promise.withResolvers();
    if (this.#unconfirmed > 0) await resolvedWithin(this.#idle.promise, CONFIRM_DEADLINE_MS);
    if (this.#pool !== undefined) await closePool(this.#pool);
    await this.connection.stop();
  }

  /** The failures in the order of the messages, which carry so many jobs; undefined where there was none. */
  async #send(messages: readonly OutgoingMessage[], jobs: number): Promise<(Unavailable | undefined)[]> {
    const pool = this.#pool;
    if (!this.ready || pool === undefined) {
      const away = new Unavailable(
        'broker_unavailable',
        'RabbitMQ is away, blocked or behind with its confirms',
      );
      return messages.map(() => away);
    }
    const window = { since: performance.now() };
    this.#windows.add(window);
    this.#unconfirmed += jobs;
    try {
      const leased = await pool.acquire();
      const confirms = leased.publish(messages);
      await pool.release(leased);
      return await confirms;
    } catch (error) {
      const busy = new Unavailable('no_channel', 'no publisher channel was free', error);
      return messages.map(() => busy);
    } finally {
      this.#windows.delete(window);
      this.#unconfirmed -= jobs;
      if (this.#unconfirmed === 0) this.#idle.resolve();
    }
  }

  /** A new connection: a pool of its own, full from the start. The old one's channels died with their connection. */
  async #prepare(model: ChannelModel): Promise<void> {
    if (this.#pool !== undefined) await closePool(this.#pool);
    const { queues, queueType } = this.#options;
    await prepareTopology(model, queues, queueType); // tells a conflict; the pool would try for ever
    const pool = openPool(model, this.#options);
    this.#pool = pool;
    await pool.ready();
  }
}

function alone(): number {
  return 1;
}

/** The message of jobs of one queue and one type. */
function toMessage(jobs: readonly HintedJob[]): OutgoingMessage {
  const { id, type, queue } = jobs[0] as HintedJob;
  return { exchange: EXCHANGE, key: queue, body: encodeJobIds(jobs), options: messageOptions({ id, type }) };
}
