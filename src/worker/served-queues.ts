/**
 * The queues that a worker serves: how many of their jobs run here at once, as WORKER_QUEUES has it or as somebody has set it since, and their
 * consumers.
 *
 * Guarantees: what is applied last holds; where nothing is set, what the worker was configured with does. Knows no Postgres: `row-looks.ts` reads what
 * is set.
 */
import type { StoredQueue } from '#shared/postgres/statements/queues.ts';
import type { QueueChannels } from '#shared/settings/worker-queues.ts';
import type { Consumer } from './consumer.ts';
import type { QueueConsumers } from './queue-consumers.ts';

export interface ServedQueuesOptions {
  /** As the worker was configured. */
  queues: readonly QueueChannels[];
  /** Undefined where there is no broker. */
  createConsumers?: ((queue: QueueChannels) => QueueConsumers) | undefined;
}

export class ServedQueues {
  readonly #configured: readonly QueueChannels[];
  #current: readonly QueueChannels[];
  /** By queue. */
  readonly #consumers = new Map<string, QueueConsumers>();

  constructor({ queues, createConsumers }: ServedQueuesOptions) {
    this.#configured = queues;
    this.#current = queues;
    if (createConsumers === undefined) return;
    for (const configured of queues) this.#consumers.set(configured.queue, createConsumers(configured));
  }

  /** As they are now. */
  get current(): readonly QueueChannels[] {
    return this.#current;
  }

  /** How many jobs of the queue run here at once. */
  slotsOf(name: string): number {
    const found = this.#current.find(({ queue }) => queue === name);
    return found === undefined ? 0 : found.channels * found.prefetch;
  }

  /** The consumers that are wanted now. */
  get consumers(): Consumer[] {
    return [...this.#consumers.values()].flatMap(({ consumers }) => consumers);
  }

  start(): void {
    for (const consumers of this.#consumers.values()) consumers.start();
  }

  /** What is set for the queues, all of it. A queue that is not named has nothing set. */
  apply(stored: readonly StoredQueue[]): void {
    const byName = new Map(stored.map((queue) => [queue.name, queue]));
    this.#current = this.#configured.map(({ queue, channels, prefetch }) => {
      const set = byName.get(queue);
      return { queue, channels: set?.channels ?? channels, prefetch: set?.prefetch ?? prefetch };
    });
    for (const current of this.#current) {
      const consumers = this.#consumers.get(current.queue);
      if (byName.get(current.queue)?.paused === true) consumers?.pause();
      else consumers?.resume();
      consumers?.resize(current);
    }
  }

  /** For the end: takes no more deliveries. Resolves when what runs has ended. */
  async drain(): Promise<void> {
    await Promise.all([...this.#consumers.values()].map((consumers) => consumers.drain()));
  }

  /** Closes the channels. */
  async close(): Promise<void> {
    await Promise.all([...this.#consumers.values()].map((consumers) => consumers.close()));
  }
}
