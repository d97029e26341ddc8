/**
 * Messages of jobs that are not there, or not yet: a message that comes before its transaction commits comes before its row. They are looked for again
 * for three seconds and put into the dead letters then.
 *
 * Guarantees: such a message holds no slot and no place in the prefetch, it is acknowledged when it comes here; at most 10 000 wait. Nothing is lost
 * with them: a row that commits later has no mark, so that the relay publishes it, and one that is found here gets a new message. A worker that dies
 * meanwhile takes hints of jobs with it that do not exist. Knows nothing of AMQP.
 */
import { backoffMs, sleep } from '#shared/base/backoff.ts';
import { Batcher } from '#shared/base/batcher.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { spendMessages } from '#shared/postgres/statements/publish.ts';
import { findStandings } from '#shared/postgres/statements/read.ts';

/** The waits before a job is looked for again, in milliseconds. */
const LOOKS_MS = [50, 150, 400, 800, 1_600];
const MAX_WAITING = 10_000;
/** Dead letters on their way at once. */
const LETTERS_AT_ONCE = 100;
const RETRY = { firstMs: 100, maxMs: 2_000, jitter: 0.5 };

export interface UnknownJobsOptions {
  database: Database;
  events: Events;
  /** Puts a message where people look. Rejects where the broker does not take it now. */
  deadLetter: (letter: { content: Buffer; queue: string; reason: string }) => Promise<void>;
  /** Aborts when the process must stop. */
  giveUp: AbortSignal;
}

interface Letter {
  id: string;
  queue: string;
}

export class UnknownJobs {
  readonly #looks: Batcher<string, boolean>;
  readonly #letters: Batcher<Letter, boolean>;
  readonly #events: Events;
  readonly #giveUp: AbortSignal;
  readonly #draining = new AbortController();
  readonly #waiting = new Set<Promise<void>>();

  constructor({ database, events, deadLetter, giveUp }: UnknownJobsOptions) {
    this.#events = events;
    this.#giveUp = giveUp;
    this.#looks = new Batcher({ run: (ids) => findAndSignal(database, ids) });
    this.#letters = new Batcher({
      maxItems: LETTERS_AT_ONCE,
      run: async (letters) => {
        const sent = await Promise.allSettled(
          letters.map(({ id, queue }) =>
            deadLetter({ content: Buffer.from(id), queue, reason: reasonOf(id) }),
          ),
        );
        return sent.map(({ status }) => status === 'fulfilled');
      },
    });
  }

  /** Takes the job's message over, which can be acknowledged then. Where too many wait already, it is a dead letter at once. */
  take(id: string, queue: string): 'ack' | { kind: 'dead-letter'; reason: string } {
    if (this.#waiting.size >= MAX_WAITING) return { kind: 'dead-letter', reason: reasonOf(id) };
    const ended = this.#follow(id, queue).then(() => {
      this.#waiting.delete(ended);
    });
    this.#waiting.add(ended);
    return 'ack';
  }

  /** Looks once more for those that wait, and at once for those that come. */
  drain(): void {
    this.#draining.abort();
  }

  /** Resolves when none waits. */
  async idle(): Promise<void> {
    while (this.#waiting.size > 0) await Promise.all(this.#waiting);
  }

  /** Never rejects. */
  async #follow(id: string, queue: string): Promise<void> {
    for (const waitMs of LOOKS_MS) {
      await sleep(waitMs, this.#draining.signal);
      if (await this.#isThere(id)) return;
    }
    this.#events.publish('delivery.suppressed', { jobId: id, reason: 'unknown' });
    this.#events.publish('delivery.dead-lettered', { jobId: id, queue, reason: reasonOf(id) });
    for (let retry = 1; !(await this.#letters.add({ id, queue })) && !this.#giveUp.aborted; retry += 1)
      await sleep(backoffMs(retry, RETRY), this.#giveUp);
  }

  async #isThere(id: string): Promise<boolean> {
    for (let retry = 1; ; retry += 1) {
      try {
        return await this.#looks.add(id);
      } catch (error) {
        if (this.#giveUp.aborted) return true; // nobody can tell; if it is there, it has no mark
        this.#events.publish('write.retried', { what: 'look', retry, error });
        await sleep(backoffMs(retry, RETRY), this.#giveUp);
      }
    }
  }
}

/** Which of the jobs are there. Those that wait get a new message at once, whether they had another or not. */
async function findAndSignal(database: Database, ids: readonly string[]): Promise<boolean[]> {
  const standings = await database.query((sql) => findStandings(sql, [...new Set(ids)]));
  const found = new Set(standings.map(({ id }) => id));
  const waiting = standings.filter(({ state }) => state === 'available').map(({ id }) => id);
  if (waiting.length > 0) await database.query((sql) => spendMessages(sql, waiting, { repeatAfterMs: 0 }));
  return ids.map((id) => found.has(id));
}

function reasonOf(id: string): string {
  return `unknown_job: there is no job ${id}`;
}
