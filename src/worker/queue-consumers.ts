/**
 * The consumers of one queue, made with what they share: the slots, and the passing on of what waits for one too long.
 *
 * Guarantees: however their number and prefetch change, what a consumer has taken is run and acknowledged on the channel that brought it; a channel that
 * is one too many takes nothing more, and is closed when its last job is done.
 */
import { publishAgain } from '#queue/outbox.ts';
import { sleep } from '#shared/base/backoff.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import type { QueueType } from '#shared/rabbitmq/topology.ts';
import type { QueueChannels } from '#shared/settings/worker-queues.ts';
import { Consumer } from './consumer.ts';
import type { OwnPublisher } from './own-publisher.ts';
import { PassingOn } from './passing-on.ts';
import type { DeliveryHandlers } from './run-delivery.ts';
import { runDelivery } from './run-delivery.ts';
import { Slots } from './slots.ts';

/** RabbitMQ buffers acknowledgements beyond 32 in the channel's process and loses them when the channel closes. */
export const ACKS_SETTLE_MS = 250;

export interface QueueConsumersOptions {
  connection: BrokerConnection;
  queueType: QueueType;
  publisher: OwnPublisher;
  database: Database;
  events: Events;
  handlers: DeliveryHandlers;
  /** The end of the consumers' tags: `@<host>:<pid>`. */
  at: string;
}

export class QueueConsumers {
  readonly #queue: string;
  readonly #options: QueueConsumersOptions;
  readonly #slots: Slots;
  readonly #passingOn: PassingOn;
  #prefetch: number;
  #isPaused = false;
  #isStarted = false;
  /** Those that are wanted, in the order of their priority. */
  readonly #consumers: Consumer[] = [];
  /** Those that were too many, until they are closed. */
  readonly #leaving = new Map<Consumer, Promise<void>>();

  constructor({ queue, channels, prefetch }: QueueChannels, options: QueueConsumersOptions) {
    this.#queue = queue;
    this.#options = options;
    this.#prefetch = prefetch;
    this.#passingOn = this.#createPassingOn();
    this.#slots = new Slots({
      slots: channels * prefetch,
      onWaiting: () => void this.#passingOn.watch(this.#slots),
    });
    this.#addUpTo(channels);
  }

  /** Those that are wanted now. */
  get consumers(): readonly Consumer[] {
    return this.#consumers;
  }

  start(): void {
    this.#isStarted = true;
    for (const consumer of this.#consumers) consumer.start();
  }

  /** So many channels from now on, with such a prefetch; more may run for a while, until those that are too many have done what they have. */
  resize({ channels, prefetch }: Pick<QueueChannels, 'channels' | 'prefetch'>): void {
    this.#prefetch = prefetch;
    for (const consumer of this.#consumers.splice(channels))
      this.#leaving.set(consumer, this.#retire(consumer));
    for (const consumer of this.#consumers) consumer.setPrefetch(prefetch);
    this.#addUpTo(channels);
    this.#slots.resize(channels * prefetch);
  }

  /** Takes no more deliveries until `resume`; those that are here go on. */
  pause(): void {
    this.#isPaused = true;
    for (const consumer of this.#consumers) consumer.pause();
  }

  resume(): void {
    this.#isPaused = false;
    for (const consumer of this.#consumers) consumer.resume();
  }

  /** For the end: takes no more deliveries, and gives back what waits for a slot, all at once. Resolves when what runs has ended. */
  async drain(): Promise<void> {
    this.pause();
    const besideRunning = this.#slots.drain();
    void this.#passingOn.passOnAll(besideRunning); // their messages are idle no sooner
    await Promise.all([...this.#consumers, ...this.#leaving.keys()].map((consumer) => consumer.idle()));
  }

  /** Closes the channels: what is unacknowledged goes back to the queue. */
  async close(): Promise<void> {
    await Promise.all([...this.#consumers, ...this.#leaving.keys()].map((consumer) => consumer.close()));
    await Promise.all(this.#leaving.values());
  }

  #addUpTo(channels: number): void {
    while (this.#consumers.length < channels) {
      const consumer = this.#createConsumer(this.#consumers.length);
      this.#consumers.push(consumer);
      if (this.#isPaused) consumer.pause();
      if (this.#isStarted) consumer.start();
    }
  }

  /** Never rejects. */
  async #retire(consumer: Consumer): Promise<void> {
    consumer.pause();
    await consumer.idle();
    await sleep(ACKS_SETTLE_MS);
    await consumer.close();
    this.#slots.forgetLost();
    this.#leaving.delete(consumer);
  }

  #createConsumer(index: number): Consumer {
    const { connection, queueType, events, publisher, handlers, at } = this.#options;
    return new Consumer({
      connection,
      events,
      queue: this.#queue,
      queueType,
      prefetch: this.#prefetch,
      priority: -index, // the first channels of all workers take turns, so that single jobs do not clump on the channels of one
      tag: `${this.#queue}.${index + 1}${at}`,
      slots: this.#slots,
      run: (delivery, handlerEnded) => runDelivery(handlers, delivery, handlerEnded),
      deadLetter: (letter) => publisher.deadLetter(letter),
    });
  }

  #createPassingOn(): PassingOn {
    const { events, database, publisher } = this.#options;
    return new PassingOn({
      queue: this.#queue,
      events,
      countReady: async () => await this.#consumers.find(({ ready }) => ready)?.countReady(),
      opened: () => publisher.opened(),
      publishAgain: (ids) => publishAgain({ database, publisher: publisher.open() }, ids),
    });
  }
}
