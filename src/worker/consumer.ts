/**
 * Takes the deliveries of one channel, hands their job ids to `run` and settles them as it says.
 *
 * Guarantees: at most `prefetch` jobs at once, those of an earlier channel included; a delivery is settled on the channel that brought it, or not at all.
 * Knows nothing of Postgres, and never publishes.
 */
import type { ConsumeMessage } from 'amqplib';
import type { Acknowledgements } from '#shared/rabbitmq/acknowledgements.ts';
import { decodeJobId } from '#shared/rabbitmq/message.ts';
import type { SubscriptionOptions } from '#shared/rabbitmq/subscription.ts';
import { Subscription } from '#shared/rabbitmq/subscription.ts';
import type { Disposition } from './attempt.ts';
import type { Delivery } from './run-delivery.ts';

export interface DeadLetter {
  content: Buffer;
  queue: string;
  reason: string;
}

export interface ConsumerOptions extends Omit<SubscriptionOptions, 'onDelivery'> {
  /** Never rejects. */
  run: (delivery: Delivery) => Promise<Disposition>;
  /** Puts a delivery where people look; a rejection leaves it to the queue's own dead-lettering, without the reason. */
  deadLetter: (letter: DeadLetter) => Promise<void>;
}

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #subscription: Subscription;
  #freeSlots: number;
  /** Deliveries of a new channel, while jobs of the one before it hold the slots. */
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;
  #idle = Promise.withResolvers<void>();

  constructor(options: ConsumerOptions) {
    this.#options = options;
    this.#freeSlots = options.prefetch;
    this.#subscription = new Subscription({
      ...options,
      onDelivery: (message, acknowledgements) => this.#take(message, acknowledgements),
    });
  }

  get queue(): string {
    return this.#options.queue;
  }

  /** Whether the broker sends deliveries here, if it should. */
  get ready(): boolean {
    return this.#subscription.ready;
  }

  /** How long it has not been ready, in milliseconds. */
  get unreadyForMs(): number {
    return this.#subscription.unreadyForMs;
  }

  start(): void {
    this.#subscription.start();
  }

  /** Takes no more deliveries until `resume`; those that are here go on. The channel stays. */
  pause(): void {
    this.#subscription.pause();
  }

  resume(): void {
    this.#subscription.resume();
  }

  /** Resolves when no delivery is under way. */
  async idle(): Promise<void> {
    while (this.#underWay > 0) await this.#idle.promise;
  }

  /** Closes the channel: what is unacknowledged goes back to the queue. `pause` and `idle` first, for an orderly end. */
  close(): Promise<void> {
    return this.#subscription.close();
  }

  #take(message: ConsumeMessage, acknowledgements: Acknowledgements): void {
    const { redelivered } = message.fields;
    this.#options.events.publish('delivery.received', { queue: this.queue, redelivered });
    void this.#handle(message, acknowledgements);
  }

  /** Never rejects. */
  async #handle(message: ConsumeMessage, acknowledgements: Acknowledgements): Promise<void> {
    this.#underWay += 1;
    if (this.#freeSlots > 0) this.#freeSlots -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      const disposition = await this.#dispositionOf(message);
      if (this.#subscription.isCurrent(acknowledgements))
        await this.#settle(acknowledgements, message, disposition);
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
