/**
 * Keeps queues from taking more jobs than somebody has allowed (`maxDepth`).
 *
 * Guarantees: for a queue without a limit nothing is awaited and nothing is counted; the count of one with a limit is at most a second old, and what
 * this process has enqueued since is added to it. Several processes may together exceed a limit by what they enqueue within a second. Where nobody can
 * count in 300 ms, nothing is refused: the insert tells whether Postgres is away, and both are in time together. An act on many jobs is let
 * in: a full queue is what it is for.
 */
import { cached } from '#shared/base/cached.ts';
import { QueueFull } from '#shared/base/errors.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { LimitedQueue } from '#shared/postgres/statements/waiting.ts';
import { findLimitedQueues } from '#shared/postgres/statements/waiting.ts';
import { BULK_TYPE } from './bulk/bulk-input.ts';
import type { EnqueueRequest } from './new-job.ts';

const FRESH_MS = 1_000;
const COUNT_DEADLINE_MS = 300;

export class DepthLimits {
  readonly #database: Database;
  #load: () => Promise<void>;
  /** As they were counted last, with what was enqueued here since. Undefined until then. */
  #limited: Map<string, LimitedQueue> | undefined;

  constructor(database: Database) {
    this.#database = database;
    this.#load = this.#createLoad();
  }

  /** Before these jobs are enqueued: throws `QueueFull` where a queue does not take them. To be awaited where it is a promise. */
  enter(requests: readonly Pick<EnqueueRequest, 'queue' | 'definition'>[]): Promise<void> | undefined {
    const loaded = this.#load().catch(() => {});
    const limited = this.#limited;
    if (
      limited !== undefined &&
      !requests.some((request) => limited.has(queueOf(request)) && !isAct(request))
    )
      return undefined;
    return loaded.then(() => {
      const counted = requests.filter((request) => !isAct(request));
      for (const [queue, { length }] of Map.groupBy(counted, queueOf)) this.#take(queue, length);
    });
  }

  /** A limit was set here: it holds for the next job. */
  forget(): void {
    this.#limited = undefined;
    this.#load = this.#createLoad();
  }

  #createLoad(): () => Promise<void> {
    return cached(async () => {
      const found = await this.#database.query(findLimitedQueues, COUNT_DEADLINE_MS);
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

function isAct({ definition }: Pick<EnqueueRequest, 'definition'>): boolean {
  return definition.type === BULK_TYPE;
}

function queueOf({ queue, definition }: Pick<EnqueueRequest, 'queue' | 'definition'>): string {
  return queue ?? definition.queue;
}
