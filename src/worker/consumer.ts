/**
 * Takes the deliveries of one channel, has the jobs in them run as slots are free, and settles them when all their jobs are done with.
 *
 * Guarantees: a delivery is settled on the channel that brought it, or not at all; an id that no worker can use goes to the dead letters alone, and
 * its neighbours go on. Knows nothing of Postgres, and never publishes.
 */
import type { Acknowledgements } from '#shared/rabbitmq/acknowledgements.ts';
import type { IncomingMessage } from '#shared/rabbitmq/message.ts';
import { decodeJobIds } from '#shared/rabbitmq/message.ts';
import type { SubscriptionOptions } from '#shared/rabbitmq/subscription.ts';
import { Subscription } from '#shared/rabbitmq/subscription.ts';
import type { Disposition } from './attempt.ts';
import type { MessageHandling, Settlement } from './delivered-message.ts';
import { DeliveredMessage } from './delivered-message.ts';
import type { Delivery } from './run-delivery.ts';
import type { Slots } from './slots.ts';

const UNDECODABLE = 'undecodable: the body is no list of job ids';

export interface DeadLetter {
  content: Buffer;
  queue: string;
  reason: string;
}

export interface ConsumerOptions extends Omit<SubscriptionOptions, 'onDelivery'> {
  /** Shared by the consumers of the queue. */
  slots: Slots;
  /** Runs one job. Never rejects. */
  run: (delivery: Delivery, handlerEnded: () => void) => Promise<Disposition>;
  /** Puts a delivery where people look; a rejection leaves it to the queue's own dead-lettering, without the reason. */
  deadLetter: (letter: DeadLetter) => Promise<void>;
}

export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #subscription: Subscription;
  readonly #handling: MessageHandling = {
    run: (id, delivered, handlerEnded) => this.#run(id, delivered, handlerEnded),
    settle: (delivered, settlement) => this.#settle(delivered, settlement),
    acknowledge: ({ message, acknowledgements }) => {
      if (this.#subscription.isCurrent(acknowledgements)) acknowledgements.ack(message);
    },
    isCurrent: ({ acknowledgements }) => this.#subscription.isCurrent(acknowledgements),
  };
  #underWay = 0;
  /** Those of the channel that has brought the latest message. */
  #latest: Acknowledgements | undefined;
  #idle = Promise.withResolvers<void>();

  constructor(options: ConsumerOptions) {
    this.#options = options;
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

  /** Messages of the queue that no consumer has; undefined where nobody can tell now. Never rejects. */
  countReady(): Promise<number | undefined> {
    return this.#subscription.countReady();
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

  /** How many deliveries it may have at once, from now on. Those that are here go on. */
  setPrefetch(prefetch: number): void {
    this.#subscription.setPrefetch(prefetch);
  }

  /** Resolves when no delivery is under way. */
  async idle(): Promise<void> {
    while (this.#underWay > 0) await this.#idle.promise;
  }

  /** Closes the channel: what is unacknowledged goes back to the queue. `pause` and `idle` first, for an orderly end. */
  close(): Promise<void> {
    return this.#subscription.close();
  }

  #take(message: IncomingMessage, acknowledgements: Acknowledgements): void {
    const { slots, events } = this.#options;
    const { redelivered } = message.fields;
    const ids = decodeJobIds(message);
    const jobs = ids?.length ?? 1;
    events.publish('delivery.received', { queue: this.queue, redelivered, jobs });
    this.#underWay += 1;
    const delivered = new DeliveredMessage({ message, acknowledgements }, jobs, this.#handling);
    if (this.#latest !== acknowledgements) slots.forgetLost();
    this.#latest = acknowledgements;
    slots.delivered(delivered);
    if (ids === null) void this.#deadLetter(message.content, UNDECODABLE).then((as) => delivered.done(as));
    else for (const id of ids) slots.enter({ id, delivered });
  }

  async #run(id: string, { message }: DeliveredMessage, handlerEnded: () => void): Promise<Settlement> {
    const { redelivered } = message.fields;
    const delivery = { id, redelivered, queue: this.queue, message, returns: returnsOf(message) };
    const disposition = await this.#options.run(delivery, handlerEnded);
    if (typeof disposition === 'string') return disposition;
    return await this.#deadLetter(Buffer.from(id, 'latin1'), disposition.reason);
  }

  #settle(delivered: DeliveredMessage, settlement: Settlement): void {
    const { slots } = this.#options;
    if (settlement === 'ack') slots.acknowledge(delivered);
    else {
      slots.settled(delivered);
      this.#refuse(delivered, settlement);
    }
    this.#underWay -= 1;
    if (this.#underWay > 0) return;
    this.#idle.resolve();
    this.#idle = Promise.withResolvers();
  }

  #refuse({ message, acknowledgements }: DeliveredMessage, settlement: Settlement): void {
    if (settlement === 'unacked' || !this.#subscription.isCurrent(acknowledgements)) return;
    try {
      acknowledgements.nack(message, { requeue: settlement === 'requeue' });
    } catch {
      // The channel has gone, which is told elsewhere, and the broker redelivers.
    }
  }

  /** Never rejects. */
  async #deadLetter(content: Buffer, reason: string): Promise<Settlement> {
    const { queue } = this;
    this.#options.events.publish('delivery.dead-lettered', {
      jobId: content.toString('latin1', 0, 40),
      queue,
      reason,
    });
    try {
      await this.#options.deadLetter({ content, queue, reason });
      return 'ack';
    } catch {
      return 'reject'; // the queue's own dead-letter exchange takes the message, with `rejected` as the reason
    }
  }
}

/** How often the message was delivered and given back before. Quorum queues count; a classic one tells only whether, which is taken for very often. */
function returnsOf({ fields: { redelivered }, properties: { headers } }: IncomingMessage): number {
  const count: unknown = headers?.['x-delivery-count'];
  if (typeof count === 'number') return count;
  return redelivered ? Number.POSITIVE_INFINITY : 0;
}
