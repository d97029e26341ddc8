/**
 * Records what attempts came to, by group commit. A failed write is not a failed job: it is repeated, with backoff, until it holds or the
 * process must stop.
 */
import { backoffMs, pause } from '#shared/backoff.ts';
import { Batcher } from '#shared/batcher.ts';
import { publishEvent } from '#shared/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { isRowError } from '#shared/postgres/failures.ts';
import type { Outcome } from '#shared/postgres/jobs.ts';
import { recordOutcomes } from '#shared/postgres/jobs.ts';

/** `fenced`: the attempt had lost its claim, and its outcome was refused. `unrecorded`: the process had to stop before the write held. */
export type Recorded = 'recorded' | 'fenced' | 'unrecorded';

export class Completer {
  readonly #batcher: Batcher<Outcome, boolean>;
  readonly #giveUp: AbortSignal;

  /** `giveUp` aborts when the process must stop. */
  constructor({ database, giveUp }: { database: Database; giveUp: AbortSignal }) {
    this.#giveUp = giveUp;
    this.#batcher = new Batcher({
      run: async (outcomes) => {
        const accepted = await database.query((sql) => recordOutcomes(sql, outcomes));
        return outcomes.map(({ id }) => accepted.has(id));
      },
      isItemError: isRowError,
      concurrency: 2,
    });
  }

  /** Throws only where Postgres refuses the values of this outcome (`isRowError`). */
  async record(outcome: Outcome): Promise<Recorded> {
    for (let retry = 1; ; retry += 1) {
      try {
        const accepted = await this.#batcher.add(outcome);
        // A try that failed may have been committed without our hearing of it: then this one matches no row, and nothing is wrong.
        return accepted || retry > 1 ? 'recorded' : 'fenced';
      } catch (error) {
        if (isRowError(error)) throw error;
        publishEvent('write.retried', { what: 'record', retry, error });
        if (this.#giveUp.aborted) return 'unrecorded';
        await pause(backoffMs(retry, { firstMs: 50, maxMs: 2_000, jitter: 0.5 }), this.#giveUp);
      }
    }
  }
}
