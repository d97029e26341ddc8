/**
 * Deliveries of jobs whose type this worker does not know: another application's, whose queue has the same name, or one of a later version.
 *
 * Guarantees: such a job is left as it is, for whoever knows its type. Where somebody alive does, the message is handed on, at once at first and after a
 * growing wait then, a bounded number of times; where nobody does, or all who do are busy, it is acknowledged, and the relay sends another one when the
 * job can run. All such jobs of one message are decided alike, or it would go on and its jobs be sent again, too. No more messages than half of a
 * queue's slots are held in such a wait. Knows nothing of AMQP.
 */
import { sleep } from '#shared/base/backoff.ts';
import { Batcher } from '#shared/base/batcher.ts';
import { cached } from '#shared/base/cached.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { spendMessages } from '#shared/postgres/statements/publish.ts';
import { findServedTypes } from '#shared/postgres/statements/workers.ts';
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
  /** The message that it came in, by its identity: others may have come in the same. */
  message: object;
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
  /** How many jobs of the queue run here at once. */
  slotsOf: (queue: string) => number;
}

export class ForeignJobs {
  readonly #slotsOf: (queue: string) => number;
  /** By queue, how many messages are held in a wait. */
  readonly #held = new Map<string, number>();
  /** What was decided of each message. */
  readonly #mayReturn = new WeakMap<object, Promise<boolean>>();
  readonly #events: Events;
  readonly #spent: Batcher<Spent, undefined>;
  readonly #isServed: () => Promise<(job: ForeignJob) => boolean>;
  readonly #draining = new AbortController();

  constructor({ database, events, slotsOf }: ForeignJobsOptions) {
    this.#events = events;
    this.#slotsOf = slotsOf;
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
      if (isServed && (await this.#mayMessageReturn(job))) return 'requeue';
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

  /** Whether the message may be handed on; resolves when it is time to. Decided for the first of its jobs. */
  #mayMessageReturn(job: ForeignJob): Promise<boolean> {
    const { message } = job;
    const decided = this.#mayReturn.get(message) ?? this.#decide(job);
    this.#mayReturn.set(message, decided);
    return decided;
  }

  async #decide({ queue, returns }: ForeignJob): Promise<boolean> {
    if (returns < AT_ONCE) return true;
    const held = this.#held.get(queue) ?? 0;
    if (returns >= MAX_RETURNS || held >= Math.floor(this.#slotsOf(queue) / 2)) return false;
    this.#held.set(queue, held + 1);
    await sleep(Math.min(MAX_WAIT_MS, WAIT_MS * 2 ** (returns - AT_ONCE)), this.#draining.signal);
    this.#held.set(queue, (this.#held.get(queue) ?? 1) - 1);
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
