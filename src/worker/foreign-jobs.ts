/**
 * Deliveries of jobs whose type this worker does not know: another application's, whose queue has the same name, or one of a later version.
 *
 * Guarantees: such a job is left as it is, for whoever knows its type. Where somebody alive does, the message is handed on, at once at first and after a
 * growing wait then, a bounded number of times; where nobody does, or all who do are busy, it is acknowledged, and the relay sends another one when the
 * job can run. No more messages than half of a queue's slots are held in such a wait. Knows nothing of AMQP.
 */
import { sleep } from '#shared/base/backoff.ts';
import { Batcher } from '#shared/base/batcher.ts';
import { cached } from '#shared/base/cached.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { spendMessages } from '#shared/postgres/statements/publish.ts';
import { findServedTypes } from '#shared/postgres/statements/workers.ts';
import type { QueueChannels } from '#shared/settings/settings.ts';
import type { Disposition } from './attempt.ts';

/** With two applications on a queue, half of the deliveries find the right one: a message that still comes back finds those workers busy. */
const MAX_RETURNS = 20;
/** Returns without a wait before them. */
const AT_ONCE = 2;
/** The waits before the returns after those, doubled each time, in milliseconds. All together are below what the reconciler gives a message. */
const WAIT_MS = 4;
const MAX_WAIT_MS = 250;
/** How soon the relay sends a message again that found only busy workers, doubled each time, in milliseconds. */
const REPEAT_AFTER_MS = 250;
const REPEAT_AT_MOST_MS = 30_000;
const FRESH_MS = 1_000;

/** A job of a type that is not known here, whose message was returned so often before. */
export interface ForeignJob {
  id: string;
  type: string;
  queue: string;
  returns: number;
}

interface Spent {
  id: string;
  isServed: boolean;
}

export interface ForeignJobsOptions {
  database: Database;
  events: Events;
  queues: readonly QueueChannels[];
}

export class ForeignJobs {
  /** By queue, how many messages may be held in a wait, and how many are. */
  readonly #places: ReadonlyMap<string, { limit: number; held: number }>;
  readonly #events: Events;
  readonly #spent: Batcher<Spent, undefined>;
  readonly #isServed: () => Promise<(job: ForeignJob) => boolean>;
  readonly #draining = new AbortController();

  constructor({ database, events, queues }: ForeignJobsOptions) {
    this.#events = events;
    this.#places = new Map(
      queues.map(({ queue, channels, prefetch }) => [
        queue,
        { limit: Math.floor((channels * prefetch) / 2), held: 0 },
      ]),
    );
    this.#isServed = cached(async () => {
      const { told, mayServeAll } = await database.query(findServedTypes);
      const keys = new Set(told.map(keyOf));
      return (job: ForeignJob) => mayServeAll || keys.has(keyOf(job));
    }, FRESH_MS);
    this.#spent = new Batcher({
      run: async (spent) => {
        await spendAll(database, spent);
        return spent.map(() => undefined);
      },
    });
  }

  /** What becomes of the message. Never rejects. */
  async take(job: ForeignJob): Promise<Disposition> {
    this.#events.publish('delivery.suppressed', { jobId: job.id, reason: 'foreign' });
    try {
      const isServed = (await this.#isServed())(job);
      if (isServed && (await this.#mayReturn(job))) return 'requeue';
      await this.#spent.add({ id: job.id, isServed });
      return 'ack';
    } catch (error) {
      this.#events.publish('write.retried', { what: 'look', retry: 1, error });
      await sleep(MAX_WAIT_MS, this.#draining.signal); // Postgres is away: nothing can run
      return 'requeue';
    }
  }

  /** Holds no message from now on. */
  drain(): void {
    this.#draining.abort();
  }

  /** Whether the message may be handed on; resolves when it is time to. */
  async #mayReturn({ queue, returns }: ForeignJob): Promise<boolean> {
    if (returns < AT_ONCE) return true;
    const places = this.#places.get(queue);
    if (returns >= MAX_RETURNS || places === undefined || places.held >= places.limit) return false;
    places.held += 1;
    await sleep(Math.min(MAX_WAIT_MS, WAIT_MS * 2 ** (returns - AT_ONCE)), this.#draining.signal);
    places.held -= 1;
    return true;
  }
}

/** A job that nobody alive runs is the relay's at once: it sends it as soon as somebody comes. */
async function spendAll(database: Database, spent: readonly Spent[]): Promise<void> {
  const [served, unserved] = [true, false].map((wanted) =>
    spent.filter(({ isServed }) => isServed === wanted).map(({ id }) => id),
  ) as [string[], string[]];
  const repeat = { repeatAfterMs: REPEAT_AFTER_MS, atMostMs: REPEAT_AT_MOST_MS };
  if (served.length > 0) await database.query((sql) => spendMessages(sql, served, repeat));
  if (unserved.length > 0) await database.query((sql) => spendMessages(sql, unserved, { repeatAfterMs: 0 }));
}

/** Names have no spaces. */
function keyOf({ queue, type }: { queue: string; type: string }): string {
  return `${queue} ${type}`;
}
