/**
 * Looks after batches on behalf of one process: when members have ended it finds out whether the batch has, notes it, and enqueues the callbacks.
 *
 * Guarantees: one look of this process at a time, however many members end; each batch that was asked for is looked at after it was asked for. Note and callbacks
 * are one transaction, so that each callback is enqueued once. Never throws: what fails here, and what a process leaves undone that dies, the leader's
 * gatekeeper does within a second.
 */
import { sleep } from '#shared/base/backoff.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database, Sql } from '#shared/postgres/database.ts';
import { findRipeBatches, noteBatches } from '#shared/postgres/statements/batches.ts';
import type { InsertedJob } from '#shared/postgres/statements/insert.ts';
import { insertJobs } from '#shared/postgres/statements/insert.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';

/** Between two looks, in milliseconds: members of a large batch end thousands of times a second. */
const PAUSE_MS = 50;
const AT_ONCE = 200;
/** Batches that wait to be looked at. What comes beyond is the gatekeeper's. */
const MAX_BATCHES = 20_000;

export interface BatchKeeperOptions {
  database: Pick<Database, 'query' | 'transaction'>;
  /** Publishes what is available and committed, and has looked after what is held. Never throws. */
  announce: (jobs: readonly NewJob[], rows: readonly InsertedJob[]) => void;
  events: Events;
}

export class BatchKeeper {
  readonly #options: BatchKeeperOptions;
  readonly #ids = new Set<string>();
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;

  constructor(options: BatchKeeperOptions) {
    this.#options = options;
  }

  /** Has these batches looked at soon: some of their jobs have ended. */
  look(ids: Iterable<string>): void {
    for (const id of ids) if (this.#ids.size < MAX_BATCHES) this.#ids.add(id);
    if (this.#ids.size === 0 || this.#isRunning) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** Looks at these batches now. Throws `Unavailable`. */
  async lookNow(ids: readonly string[]): Promise<void> {
    const { database, announce } = this.#options;
    const ripe = await database.query((sql) => findRipeBatches(sql, ids));
    if (ripe.length === 0) return;
    const { callbacks, rows, left } = await database.transaction(async (sql) => {
      const noted = await noteBatches(sql, ripe);
      return { ...(await insertCallbacks(sql, noted.callbacks)), left: noted.left };
    });
    announce(callbacks, rows);
    this.look(left);
  }

  /** Resolves when nothing is under way that was asked for before. */
  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    await sleep(0); // what one turn of the event loop asks for goes together
    while (this.#ids.size > 0) {
      const ids = [...this.#ids].slice(0, AT_ONCE);
      for (const id of ids) this.#ids.delete(id);
      try {
        await this.lookNow(ids);
      } catch (error) {
        this.#options.events.publish('write.retried', { what: 'batches', retry: 1, error });
      }
      await sleep(PAUSE_MS);
    }
    this.#isRunning = false;
  }
}

/** All of them: one whose own batch has ended meanwhile belongs to none. */
async function insertCallbacks(
  sql: Sql,
  callbacks: readonly NewJob[],
): Promise<{ callbacks: readonly NewJob[]; rows: readonly InsertedJob[] }> {
  if (callbacks.length === 0) return { callbacks, rows: [] };
  const rows = await insertJobs(sql, callbacks);
  const isIn = (_: unknown, index: number) => rows[index]?.outcome !== 'ended-batch';
  const late = callbacks.filter((job, index) => !isIn(job, index));
  if (late.length === 0) return { callbacks, rows };
  const alone = late.map((job) => ({ ...job, rare: { ...job.rare, batch: undefined } }));
  const more = await insertJobs(sql, alone);
  return { callbacks: [...callbacks.filter(isIn), ...alone], rows: [...rows.filter(isIn), ...more] };
}
