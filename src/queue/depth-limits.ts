/**
 * Keeps queues from taking more jobs than somebody has allowed (`maxDepth`).
 *
 * Guarantees: for a queue without a limit nothing is awaited and nothing is counted; the count of one with a limit is at most a second old, and what
 * this process has enqueued since is added to it. Several processes may together exceed a limit by what they enqueue within a second. Where Postgres is
 * away, that is told; where it refuses the count, nothing is refused.
 */
import { cached } from '#shared/base/cached.ts';
import { QueueFull, Unavailable } from '#shared/base/errors.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { LimitedQueue } from '#shared/postgres/statements/waiting.ts';
import { findLimitedQueues } from '#shared/postgres/statements/waiting.ts';
import type { EnqueueRequest } from './new-job.ts';

const FRESH_MS = 1_000;

export class DepthLimits {
  readonly #database: Database;
  #load: () => Promise<void>;
  /** As they were counted last, with what was enqueued here since. Undefined until then. */
  #limited: Map<string, LimitedQueue> | undefined;

  constructor(database: Database) {
    this.#database = database;
    this.#load = this.#createLoad();
  }

  /** Before these jobs are enqueued: throws `QueueFull` where a queue does not take them, and `Unavailable`. To be awaited where it is a promise. */
  enter(requests: readonly Pick<EnqueueRequest, 'queue' | 'definition'>[]): Promise<void> | undefined {
    const loaded = this.#load().catch((error: unknown) => error);
    const limited = this.#limited;
    if (limited !== undefined && !requests.some((request) => limited.has(queueOf(request)))) return undefined;
    return loaded.then((error) => {
      if (error instanceof Unavailable) throw error; // an insert would wait as long once more, for the same answer
      for (const [queue, { length }] of Map.groupBy(requests, queueOf)) this.#take(queue, length);
    });
  }

  /** A limit was set here: it holds for the next job. */
  forget(): void {
    this.#limited = undefined;
    this.#load = this.#createLoad();
  }

  #createLoad(): () => Promise<void> {
    return cached(async () => {
      const found = await this.#database.query(findLimitedQueues);
      this.#limited = new Map(found.map((limited) => [limited.queue, limited]));
    }, FRESH_MS);
  }

  #take(queue: string, jobs: number): void {
    const limited = this.#limited?.get(queue);
    if (limited === undefined) return;
    const { maxDepth, waiting } = limited;
    if (waiting + jobs > maxDepth) {
      const message = `the queue "${queue}" takes ${maxDepth} waiting jobs: ${waiting} wait, and ${jobs} would be added`;
      throw new QueueFull('queue_full', message, { queue, maxDepth });
    }
    limited.waiting += jobs;
  }
}

function queueOf({ queue, definition }: Pick<EnqueueRequest, 'queue' | 'definition'>): string {
  return queue ?? definition.queue;
}
