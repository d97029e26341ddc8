/**
 * Publishes job ids on a pool of confirm channels, kept on one persistent connection.
 *
 * A publish leases a channel, writes, gives the lease back and then awaits the confirms: a lease held until the confirm would cap the
 * process at one publish per channel and round trip. A message counts as published when the broker has confirmed it and had a queue for it.
 * Unconfirmed publishes are bounded, and each has a deadline; whatever fails here, the row stays unpublished and the relay sends it.
 * Must not know Postgres.
 */
import { randomUUID } from 'node:crypto';
import type { ChannelModel } from 'amqplib';
import { resolvedWithin } from '../base/backoff.ts';
import { Unavailable } from '../base/errors.ts';
import { nextTurn } from '../base/slices.ts';
import type { Publishable } from '../job/publishable.ts';
import type { Events } from '../observe/events.ts';
import type { ChannelPool } from './channel-pool.ts';
import { closePool, openPool } from './channel-pool.ts';
import type { OutgoingMessage } from './confirming-channel.ts';
import { CONFIRM_DEADLINE_MS } from './confirming-channel.ts';
import { BrokerConnection } from './connection.ts';
import { decodeJobId, messageOptions } from './message.ts';
import { DEAD_EXCHANGE, EXCHANGE, prepareTopology } from './topology.ts';

/** Messages that share a lease of a channel and a deadline. More of them are spread over the channels, and over turns of the event loop. */
const WINDOW = 500;
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
  events: Events;
}

/** What a message is made of. */
type PublishedPart = Omit<Publishable, 'fence'>;

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

  get unconfirmed(): number {
    return this.#unconfirmed;
  }

  /** Resolves when the broker has the message in the queue; rejects with `Unavailable` otherwise. Safe to repeat. */
  async publish(job: PublishedPart): Promise<void> {
    const [failure] = await this.#publish([job]);
    if (failure !== undefined) throw failure;
  }

  /**
   * Publishes together what is ready together: one lease and one deadline for all, where they are not very many. Never rejects: resolves with the
   * jobs whose message the broker has in the queue, when each is confirmed or has failed.
   */
  async publishAll(jobs: readonly Publishable[]): Promise<Publishable[]> {
    const failures = await this.#publish(jobs);
    return jobs.filter(({ id: jobId }, index) => {
      const error = failures[index];
      if (error !== undefined) this.#options.events.publish('publish.failed', { jobId, error });
      return error === undefined;
    });
  }

  /** The failures in the order of the jobs; undefined where there was none. */
  async #publish(jobs: readonly PublishedPart[]): Promise<(Unavailable | undefined)[]> {
    const messages = jobs.map(({ id, type, queue }) => ({
      exchange: EXCHANGE,
      key: queue,
      body: Buffer.from(id, 'latin1'),
      options: messageOptions({ id, type }),
    }));
    const windows: Promise<(Unavailable | undefined)[]>[] = [];
    for (let start = 0; start < messages.length; start += WINDOW) {
      const window = messages.slice(start, start + WINDOW);
      windows.push(start === 0 ? this.#send(window) : nextTurn().then(() => this.#send(window)));
    }
    const failures = (await Promise.all(windows)).flat();
    const count = failures.filter((failure) => failure === undefined).length;
    if (count > 0) this.#options.events.publish('publish.confirmed', { count });
    return failures;
  }

  /** Puts a delivery that no worker can use where people look, with the reason and, where it has one, its job's id as the message's. */
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
    const messageId = decodeJobId({ content }) ?? randomUUID();
    const options = { persistent: true, mandatory: true, messageId, headers };
    const [failure] = await this.#send([{ exchange: DEAD_EXCHANGE, key: queue, body: content, options }]);
    if (failure !== undefined) throw failure;
  }

  /** Waits for the confirms that are due (at most their deadline), then closes the channels, then the connection. */
  async stop(): Promise<void> {
    this.#idle = Promise.withResolvers();
    if (this.#unconfirmed > 0) await resolvedWithin(this.#idle.promise, CONFIRM_DEADLINE_MS);
    if (this.#pool !== undefined) await closePool(this.#pool);
    await this.connection.stop();
  }

  async #send(messages: readonly OutgoingMessage[]): Promise<(Unavailable | undefined)[]> {
    const pool = this.#pool;
    if (!this.ready || pool === undefined) {
      const away = new Unavailable(
        'broker_unavailable',
        'RabbitMQ is away, blocked or behind with its confirms',
      );
      return messages.map(() => away);
    }
    const window = { since: performance.now(), messages: messages.length };
    this.#windows.add(window);
    this.#unconfirmed += window.messages;
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
      this.#unconfirmed -= window.messages;
      if (this.#unconfirmed === 0) this.#idle.resolve();
    }
  }

  /** A new connection: a pool of its own, full from the start. The old one's channels died with their connection. */
  async #prepare(model: ChannelModel): Promise<void> {
    if (this.#pool !== undefined) await closePool(this.#pool);
    await prepareTopology(model, this.#options.queues); // tells a conflict; the pool would try for ever
    const pool = openPool(model, this.#options);
    this.#pool = pool;
    await pool.ready();
  }
}
