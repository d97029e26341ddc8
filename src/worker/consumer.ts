/**
 * One channel on one queue with its own prefetch: takes deliveries, hands their job ids to `run` and settles them as it says.
 *
 * Guarantees: at most `prefetch` jobs at once; a lost channel, a cancel by the server or a deleted queue is followed by a new channel and a
 * topology declared anew, with jittered backoff, until `close`; a delivery is settled on the channel that brought it, or not at all.
 * Knows nothing of Postgres, and never publishes.
 */
import type { Channel, ConsumeMessage } from 'amqplib';
import { backoffMs, pause, withDeadline } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { Events } from '#shared/observe/events.ts';
import { Acknowledgements } from '#shared/rabbitmq/acknowledgements.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import { decodeJobId } from '#shared/rabbitmq/message.ts';
import { brokerQueue, declareTopology } from '#shared/rabbitmq/topology.ts';
import type { Disposition } from './attempt.ts';
import type { Delivery } from './run-delivery.ts';

const OPEN_DEADLINE_MS = 10_000;
const CLOSE_DEADLINE_MS = 2_000;

export interface DeadLetter {
  content: Buffer;
  queue: string;
  reason: string;
}

export interface ConsumerOptions {
  connection: BrokerConnection;
  events: Events;
  queue: string;
  prefetch: number;
  /** RabbitMQ prefers the consumers with the greatest, as long as they have room. */
  priority: number;
  /** `<queue>.<n>@<host>:<pid>`. */
  tag: string;
  /** Never rejects. */
  run: (delivery: Delivery) => Promise<Disposition>;
  /** Puts a delivery where people look; a rejection leaves it to the queue's own dead-lettering, without the reason. */
  deadLetter: (letter: DeadLetter) => Promise<void>;
}

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #closing = new AbortController();
  #freeSlots: number;
  /** Deliveries of a new channel, while jobs of the one before it hold the slots. */
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #idle = Promise.withResolvers<void>();
  #wanted = true;
  #changed = Promise.withResolvers<void>();
  #registered = false;
  /** When it was started, or ready for the last time. */
  #readyAt = 0;
  #channel: Channel | undefined;
  #life: Promise<void> = Promise.resolve();

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#freeSlots = options.prefetch;
  }

  get queue(): string {
    return this.#options.queue;
  }

  /** Whether the broker sends deliveries here, if it should. */
  get ready(): boolean {
    return this.#channel !== undefined && this.#registered === this.#wanted;
  }

  /** How long it has not been ready, in milliseconds. */
  get unreadyForMs(): number {
    return this.ready ? 0 : performance.now() - this.#readyAt;
  }

  start(): void {
    this.#readyAt = performance.now();
    this.#life = this.#live();
  }

  /** Takes no more deliveries until `resume`; those that are here go on. The channel stays. */
  pause(): void {
    this.#want(false);
  }

  resume(): void {
    this.#want(true);
  }

  /** Resolves when no delivery is under way. */
  async idle(): Promise<void> {
    while (this.#underWay > 0) await this.#idle.promise;
  }

  /** Closes the channel: what is unacknowledged goes back to the queue. `pause` and `idle` first, for an orderly end. */
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
    for (let retry = 1; !this.#closing.signal.aborted; retry += 1) {
      let reason = 'closed';
      try {
        const wasOpenMs = await this.#useChannel();
        if (wasOpenMs > 10_000) retry = 1;
      } catch (error) {
        reason = String(error);
      }
      const wasReady = this.ready;
      if (wasReady) this.#readyAt = performance.now();
      this.#registered = false;
      this.#channel = undefined;
      if (this.#closing.signal.aborted) return;
      const { connection, tag } = this.#options;
      if (wasReady || connection.model !== undefined) {
        this.#options.events.publish('consumer.lost', { tag, queue: this.queue, reason });
      }
      await pause(backoffMs(retry, { firstMs: 100, maxMs: 5_000, jitter: 0.5 }), this.#closing.signal);
    }
  }

  /** One channel, from its opening to its end. Returns how long it was open, in milliseconds. */
  async #useChannel(): Promise<number> {
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
    this.#channel = channel;
    try {
      await inTime(declareTopology(channel, [this.queue]));
      await inTime(channel.prefetch(this.#options.prefetch));
      while (alive && !this.#closing.signal.aborted) {
        this.#changed = Promise.withResolvers();
        await this.#follow(channel, acknowledgements, onEnd);
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
  async #follow(
    channel: Channel,
    acknowledgements: Acknowledgements,
    onCancelled: () => void,
  ): Promise<void> {
    if (this.#wanted === this.#registered) return;
    const { tag, priority } = this.#options;
    if (!this.#wanted) {
      await inTime(channel.cancel(tag));
      this.#registered = false;
      return;
    }
    const onMessage = (message: ConsumeMessage | null) => {
      if (message === null)
        onCancelled(); // the server has cancelled the consumer: queue deleted, node gone
      else this.#take(channel, acknowledgements, message);
    };
    await inTime(channel.consume(brokerQueue(this.queue), onMessage, { consumerTag: tag, priority }));
    this.#registered = true;
    this.#options.events.publish('consumer.ready', { tag, queue: this.queue });
  }

  #take(channel: Channel, acknowledgements: Acknowledgements, message: ConsumeMessage): void {
    acknowledgements.delivered(message);
    this.#options.events.publish('delivery.received', {
      queue: this.queue,
      redelivered: message.fields.redelivered,
    });
    void this.#handle(channel, acknowledgements, message);
  }

  /** Never rejects. */
  async #handle(
    channel: Channel,
    acknowledgements: Acknowledgements,
    message: ConsumeMessage,
  ): Promise<void> {
    this.#underWay += 1;
    if (this.#freeSlots > 0) this.#freeSlots -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      const disposition = await this.#dispositionOf(message);
      if (this.#channel === channel) await this.#settle(acknowledgements, message, disposition);
    } catch {
      // Settling failed: the channel has gone, which is told elsewhere, and the broker redelivers.
    }
    const next = this.#waiting.shift();
    if (next === undefined) this.#freeSlots += 1;
    else next(); // the slot is handed on
    this.#underWay -= 1;
    if (this.#underWay > 0) return;
    this.#idle.resolve();
    this.#idle = Promise.withResolvers();
  }

  async #dispositionOf(message: ConsumeMessage): Promise<Disposition> {
    const id = decodeJobId(message);
    if (id === null) return { kind: 'dead-letter', reason: 'undecodable: the body is no job id' };
    const { redelivered } = message.fields;
    return await this.#options.run({ id, redelivered, queue: this.queue, returns: returnsOf(message) });
  }

  async #settle(
    acknowledgements: Acknowledgements,
    message: ConsumeMessage,
    disposition: Disposition,
  ): Promise<void> {
    if (disposition === 'unacked') return;
    if (disposition === 'ack') acknowledgements.ack(message);
    else if (disposition === 'requeue') acknowledgements.nack(message, { requeue: true });
    else await this.#deadLetter(acknowledgements, message, disposition.reason);
  }

  async #deadLetter(
    acknowledgements: Acknowledgements,
    message: ConsumeMessage,
    reason: string,
  ): Promise<void> {
    const { queue } = this;
    this.#options.events.publish('delivery.dead-lettered', {
      jobId: message.content.toString('latin1', 0, 40),
      queue,
      reason,
    });
    try {
      await this.#options.deadLetter({ content: message.content, queue, reason });
      acknowledgements.ack(message);
    } catch {
      acknowledgements.nack(message, { requeue: false }); // the queue's own dead-letter exchange takes it, with `rejected` as the reason
    }
  }
}

/** How often the message was delivered and given back before: quorum queues count. */
function returnsOf({ properties: { headers } }: ConsumeMessage): number {
  const count: unknown = headers?.['x-delivery-count'];
  return typeof count === 'number' ? count : 0;
}

function inTime<T>(promise: PromiseLike<T>, deadlineMs = OPEN_DEADLINE_MS): Promise<T> {
  const onTimeout = () =>
    new Unavailable('channel_timeout', `RabbitMQ did not answer within ${deadlineMs} ms`);
  return withDeadline(Promise.resolve(promise), deadlineMs, onTimeout);
}
