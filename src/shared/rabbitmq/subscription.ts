/**
 * A consumer's registration with the broker: takes the deliveries of one queue, on one channel after another.
 *
 * Guarantees: a lost channel, a cancel by the server or a deleted queue is followed by a new channel and a topology declared anew, with jittered
 * backoff, until `close`; the broker sends no more than `prefetch` deliveries that are not settled. Settles none of them, and must not know what they
 * stand for.
 */
import type { Channel, ConsumeMessage } from 'amqplib';
import { backoffMs, sleep, withDeadline } from '../base/backoff.ts';
import { Unavailable } from '../base/errors.ts';
import type { Events } from '../observe/events.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { BrokerConnection } from './connection.ts';
import type { QueueType } from './topology.ts';
import { brokerQueue, declareTopology } from './topology.ts';

const OPEN_DEADLINE_MS = 10_000;
const CLOSE_DEADLINE_MS = 2_000;
const COUNT_DEADLINE_MS = 1_000;
/** A channel that was open for this long was a good one: the next is opened soon. In milliseconds. */
const GOOD_AFTER_MS = 10_000;
const REOPEN = { firstMs: 100, maxMs: 5_000, jitter: 0.5 };

export interface SubscriptionOptions {
  connection: BrokerConnection;
  events: Events;
  queue: string;
  queueType?: QueueType | undefined;
  prefetch: number;
  /** RabbitMQ prefers the consumers with the greatest, as long as they have room. */
  priority: number;
  /** `<queue>.<n>@<host>:<pid>`. */
  tag: string;
  /** A delivery, and its channel's acknowledgements, which settle it while they are the current ones. Must not throw. */
  onDelivery: (message: ConsumeMessage, acknowledgements: Acknowledgements) => void;
}

export class Subscription {
  readonly #options: SubscriptionOptions;
  readonly #closing = new AbortController();
  #wanted = true;
  #registered = false;
  #registeredTag = '';
  /** On the channel that is open. */
  #registrations = 0;
  #prefetch: number;
  /** What the broker was told when the consumer was registered. */
  #registeredPrefetch = 0;
  /** Ends the wait for a change: of what is wanted, or of the channel. */
  #changed = Promise.withResolvers<void>();
  /** When it was started, or ready for the last time. */
  #readyAt = 0;
  /** Those of the open channel. */
  #current: Acknowledgements | undefined;
  #channel: Channel | undefined;
  #life: Promise<void> = Promise.resolve();

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#prefetch = options.prefetch;
  }

  /** Whether the broker sends deliveries here, if it should. */
  get ready(): boolean {
    return this.#current !== undefined && this.#registered === this.#wanted;
  }

  /** How long it has not been ready, in milliseconds. */
  get unreadyForMs(): number {
    return this.ready ? 0 : performance.now() - this.#readyAt;
  }

  /** Whether these are the acknowledgements of the channel that is open now. */
  isCurrent(acknowledgements: Acknowledgements): boolean {
    return this.#current === acknowledgements;
  }

  /** Messages of the queue that no consumer has; undefined where nobody can tell now. Never rejects. */
  async countReady(): Promise<number | undefined> {
    if (!this.ready || this.#channel === undefined) return undefined;
    try {
      const asked = this.#channel.checkQueue(brokerQueue(this.#options.queue));
      return (await inTime(asked, COUNT_DEADLINE_MS)).messageCount;
    } catch {
      return undefined; // the channel has gone, which is told elsewhere
    }
  }

  start(): void {
    this.#readyAt = performance.now();
    this.#life = this.#live();
  }

  /** Takes no more deliveries until `resume`. The channel stays. */
  pause(): void {
    this.#want(false);
  }

  resume(): void {
    this.#want(true);
  }

  /** From now on the broker sends no more than so many deliveries that are not settled. Those that are here go on, and count. */
  setPrefetch(prefetch: number): void {
    if (prefetch === this.#prefetch) return;
    this.#prefetch = prefetch;
    this.#changed.resolve();
  }

  /** Closes the channel: what is unacknowledged goes back to the queue. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#changed.resolve();
    await this.#life;
  }

  #want(wanted: boolean): void {
    this.#wanted = wanted;
    this.#changed.resolve();
  }

  async #live(): Promise<void> {
    const { connection, events, queue, tag } = this.#options;
    for (let retry = 1; !this.#closing.signal.aborted; retry += 1) {
      let reason = 'closed';
      try {
        const wasOpenMs = await this.#useChannel();
        if (wasOpenMs > GOOD_AFTER_MS) retry = 1;
      } catch (error) {
        reason = String(error);
      }
      const wasReady = this.ready;
      if (wasReady) this.#readyAt = performance.now();
      this.#registered = false;
      this.#current = undefined;
      if (this.#closing.signal.aborted) return;
      if (wasReady || connection.model !== undefined) events.publish('consumer.lost', { tag, queue, reason });
      await sleep(backoffMs(retry, REOPEN), this.#closing.signal);
    }
  }

  /** One channel, from its opening to its end. Returns how long it was open, in milliseconds. */
  async #useChannel(): Promise<number> {
    const { queue, queueType, onDelivery } = this.#options;
    const channel = await this.#open();
    const openedAt = performance.now();
    const acknowledgements = new Acknowledgements(channel);
    let alive = true;
    const onEnd = () => {
      alive = false;
      this.#changed.resolve();
    };
    channel.on('close', onEnd);
    channel.on('cancel', onEnd);
    const onMessage = (message: ConsumeMessage | null) => {
      if (message === null) return onEnd(); // the server has cancelled the consumer: queue deleted, node gone
      acknowledgements.delivered(message);
      onDelivery(message, acknowledgements);
    };
    this.#current = acknowledgements;
    this.#channel = channel;
    this.#registrations = 0;
    try {
      await inTime(declareTopology(channel, [queue], queueType));
      while (alive && !this.#closing.signal.aborted) {
        this.#changed = Promise.withResolvers();
        await this.#follow(channel, onMessage);
        await this.#changed.promise;
      }
    } finally {
      acknowledgements.flush();
      await inTime(channel.close(), CLOSE_DEADLINE_MS).catch(() => {}); // it may be closed already
    }
    return performance.now() - openedAt;
  }

  async #open(): Promise<Channel> {
    const model = await this.#options.connection.opened(OPEN_DEADLINE_MS, this.#closing.signal);
    const channel = await inTime(model.createChannel());
    channel.on('error', () => {}); // `close` follows; without a listener the whole connection would go
    return channel;
  }

  /** Registers with the broker, or withdraws, as is wanted. */
  async #follow(channel: Channel, onMessage: (message: ConsumeMessage | null) => void): Promise<void> {
    const { events, queue, tag, priority } = this.#options;
    const prefetch = this.#prefetch;
    if (this.#registered && !(this.#wanted && this.#registeredPrefetch === prefetch)) {
      await inTime(channel.cancel(this.#registeredTag));
      this.#registered = false;
    }
    if (!this.#wanted || this.#registered) return;
    await inTime(channel.prefetch(prefetch)); // for consumers that are registered from now on
    this.#registrations += 1;
    // With the tag of before RabbitMQ 3.10 mixes the consumer up with the one that was cancelled, and closes the connection (541).
    this.#registeredTag = this.#registrations === 1 ? tag : `${tag}~${this.#registrations}`;
    await inTime(
      channel.consume(brokerQueue(queue), onMessage, { consumerTag: this.#registeredTag, priority }),
    );
    this.#registered = true;
    this.#registeredPrefetch = prefetch;
    events.publish('consumer.ready', { tag, queue });
  }
}

function inTime<T>(promise: PromiseLike<T>, deadlineMs = OPEN_DEADLINE_MS): Promise<T> {
  const onTimeout = () =>
    new Unavailable('channel_timeout', `RabbitMQ did not answer within ${deadlineMs} ms`);
  return withDeadline(Promise.resolve(promise), deadlineMs, onTimeout);
}
