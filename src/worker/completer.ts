/**
 * Records what attempts came to, by group commit. A failed write is not a failed job: it is repeated, with backoff, until it holds or the
 * process must stop. An outcome that is refused because a crash of Postgres has undone its claim is recorded after the claim is restored.
 */
import { backoffMs, sleep } from '#shared/base/backoff.ts';
import { Batcher } from '#shared/base/batcher.ts';
import { MAX_ORIGIN_BYTES } from '#shared/base/error-origin.ts';
import type { JobState } from '#shared/job/transitions.ts';
import { target } from '#shared/job/transitions.ts';
import type { Events } from '#shared/observe/events.ts';
import { publishJobEnd } from '#shared/observe/job-end.ts';
import type { Database } from '#shared/postgres/database.ts';
import { isRowError } from '#shared/postgres/failures.ts';
import type { Presence } from '#shared/postgres/presence.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Outcome } from '#shared/postgres/statements/record.ts';
import { recordOutcomes } from '#shared/postgres/statements/record.ts';
import type { HeldJobs } from './held-jobs.ts';

/** `fenced`: the attempt had lost its claim, and its outcome was refused. `unrecorded`: the process had to stop before the write held. */
export type Recorded = 'recorded' | 'fenced' | 'unrecorded';

export interface CompleterOptions {
  database: Database;
  events: Events;
  held: HeldJobs;
  presence: Pick<Presence, 'owners'>;
  /** Aborts when the process must stop. */
  giveUp: AbortSignal;
}

export class Completer {
  readonly #batcher: Batcher<Outcome, JobState | undefined>;
  readonly #database: Database;
  readonly #held: HeldJobs;
  readonly #presence: Pick<Presence, 'owners'>;
  readonly #events: Events;
  readonly #giveUp: AbortSignal;

  constructor({ database, events, held, presence, giveUp }: CompleterOptions) {
    this.#database = database;
    this.#held = held;
    this.#presence = presence;
    this.#events = events;
    this.#giveUp = giveUp;
    this.#batcher = new Batcher({
      run: (outcomes) => this.#recordGroup(outcomes),
      isItemError: isRowError,
      sizeOf: ({ outputBytes = 0, error = '', errorOrigin }) =>
        outputBytes + error.length + (errorOrigin === undefined ? 0 : MAX_ORIGIN_BYTES),
      concurrency: 2,
    });
  }

  /** Returns the states that the jobs have now, in the order of the outcomes; undefined for one that was refused. */
  async #recordGroup(outcomes: readonly Outcome[]): Promise<(JobState | undefined)[]> {
    const { owners } = this.#presence;
    const accepted = await this.#database.query((sql) => recordOutcomes(sql, outcomes, owners));
    const refused = outcomes.filter(({ id }) => !accepted.has(id));
    if (refused.length > 0) {
      const ids = refused.map(({ id }) => id);
      await this.#database.query((sql) => this.#held.restore(sql, ids, owners));
      // All of them: the presence may have restored a claim between these statements.
      const again = await this.#database.query((sql) => recordOutcomes(sql, refused, owners));
      for (const [id, state] of again) accepted.set(id, state);
    }
    return outcomes.map(({ id }) => accepted.get(id));
  }

  /** Tells where this ends the job. Throws only where Postgres refuses the values of this outcome (`isRowError`). */
  async record(outcome: Outcome, job: Pick<Claim, 'id' | 'type' | 'queue' | 'trace'>): Promise<Recorded> {
    for (let retry = 1; ; retry += 1) {
      try {
        let state = await this.#batcher.add(outcome);
        // A try that failed may have been committed without our hearing of it: then this one matches no row, and nothing is wrong.
        if (state === undefined && retry > 1) state = target(outcome.act);
        if (state === undefined) return 'fenced';
        publishJobEnd(this.#events, job, {
          state,
          error: outcome.error,
          errorOrigin: outcome.errorOrigin,
        });
        return 'recorded';
      } catch (error) {
        if (isRowError(error)) throw error;
        this.#events.publish('write.retried', { what: 'record', retry, error });
        if (this.#giveUp.aborted) return 'unrecorded';
        await sleep(backoffMs(retry, { firstMs: 50, maxMs: 2_000, jitter: 0.5 }), this.#giveUp);
      }
    }
  }
}
