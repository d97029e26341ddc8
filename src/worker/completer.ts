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
import type { Database, Sql } from '#shared/postgres/database.ts';
import { isRowError } from '#shared/postgres/failures.ts';
import type { Presence } from '#shared/postgres/presence.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Outcome, RecordedJob } from '#shared/postgres/statements/record.ts';
import { findRecorded, recordOutcomes } from '#shared/postgres/statements/record.ts';
import type { Committed } from './ending.ts';
import type { HeldJobs } from './held-jobs.ts';
import type { JobNotes } from './job-notes.ts';

/** `fenced`: the attempt had lost its claim, and its outcome was refused. `unrecorded`: the process had to stop before the write held. */
export type Recorded = 'recorded' | 'fenced' | 'unrecorded';

type JobAtHand = Pick<Claim, 'id' | 'type' | 'queue' | 'trace'>;

export interface CompleterOptions {
  database: Database;
  events: Events;
  held: HeldJobs;
  presence: Pick<Presence, 'owners'>;
  /** Told of the gates of jobs that have left their places there, or wait there again. */
  onFreed: (gates: readonly string[]) => void;
  /** What handlers have said: stored before the end of their attempts. */
  notes: Pick<JobNotes, 'lastWords'>;
  /** Aborts when the process must stop. */
  giveUp: AbortSignal;
}

export class Completer {
  readonly #batcher: Batcher<Outcome, RecordedJob | undefined>;
  readonly #database: Database;
  readonly #held: HeldJobs;
  readonly #presence: Pick<Presence, 'owners'>;
  readonly #events: Events;
  readonly #onFreed: CompleterOptions['onFreed'];
  readonly #notes: CompleterOptions['notes'];
  readonly #giveUp: AbortSignal;

  constructor({ database, events, held, presence, onFreed, notes, giveUp }: CompleterOptions) {
    this.#database = database;
    this.#held = held;
    this.#presence = presence;
    this.#events = events;
    this.#onFreed = onFreed;
    this.#notes = notes;
    this.#giveUp = giveUp;
    this.#batcher = new Batcher({
      run: (outcomes) => this.#recordGroup(outcomes),
      isItemError: isRowError,
      sizeOf: ({ outputBytes = 0, error = '', errorOrigin }) =>
        outputBytes + error.length + (errorOrigin === undefined ? 0 : MAX_ORIGIN_BYTES),
      concurrency: 2,
    });
  }

  /** Returns what the jobs are now, in the order of the outcomes; undefined for one that was refused. */
  async #recordGroup(outcomes: readonly Outcome[]): Promise<(RecordedJob | undefined)[]> {
    const { owners } = this.#presence;
    const accepted = await this.#database.query((sql) => recordOutcomes(sql, outcomes, owners));
    const refused = outcomes.filter(({ id }) => !accepted.has(id));
    if (refused.length > 0) {
      const ids = refused.map(({ id }) => id);
      await this.#database.query((sql) => this.#held.restore(sql, ids, owners));
      // All of them: the presence may have restored a claim between these statements.
      const again = await this.#database.query((sql) => recordOutcomes(sql, refused, owners));
      for (const [id, job] of again) accepted.set(id, job);
    }
    const gates = [...accepted.values()].flatMap((job) => job.gates ?? []);
    if (gates.length > 0) this.#onFreed(gates);
    return outcomes.map(({ id }) => accepted.get(id));
  }

  /** Tells where this ends the job. Throws only where Postgres refuses the values of this outcome (`isRowError`). */
  async record(outcome: Outcome, job: JobAtHand): Promise<Recorded> {
    const said = this.#notes.lastWords(job.id);
    if (said !== undefined) await said;
    for (let retry = 1; ; retry += 1) {
      try {
        let state = (await this.#batcher.add(outcome))?.state;
        // A try that failed may have been committed without our hearing of it: then this one matches no row, and nothing is wrong.
        if (state === undefined && retry > 1) state = target(outcome.act);
        if (state === undefined) return 'fenced';
        this.#tellEnd(outcome, state, job);
        return 'recorded';
      } catch (error) {
        if (isRowError(error)) throw error;
        this.#events.publish('write.retried', { what: 'record', retry, error });
        if (this.#giveUp.aborted) return 'unrecorded';
        await sleep(backoffMs(retry, { firstMs: 50, maxMs: 2_000, jitter: 0.5 }), this.#giveUp);
      }
    }
  }

  /** Records the outcome in the job's own transaction. Undefined where it is refused: the attempt has lost its claim, or the transaction has ended. */
  async recordWithin(sql: Sql, outcome: Outcome, mark: string): Promise<RecordedJob | undefined> {
    const said = this.#notes.lastWords(outcome.id);
    if (said !== undefined) await said;
    const { owners } = this.#presence;
    const record = async () => (await recordOutcomes(sql, [outcome], owners, mark)).get(outcome.id);
    const recorded = await record();
    if (recorded !== undefined) return recorded;
    await this.#database.query((own) => this.#held.restore(own, [outcome.id], owners)); // a crash may have undone its claim
    return await record();
  }

  /** Whether the outcome was recorded, where the answer to the commit was lost; asks until it is known. Undefined where it was not, or the process must stop. */
  async findRecorded(outcome: Outcome): Promise<RecordedJob | undefined> {
    for (let retry = 1; !this.#giveUp.aborted; retry += 1) {
      try {
        return await this.#database.query((sql) => findRecorded(sql, outcome));
      } catch (error) {
        this.#events.publish('write.retried', { what: 'commit', retry, error });
        await sleep(backoffMs(retry, { firstMs: 50, maxMs: 2_000, jitter: 0.5 }), this.#giveUp);
      }
    }
    return undefined;
  }

  /** What follows a record that was committed with the job's own transaction. */
  tellCommitted({ outcome, recorded }: Committed, job: JobAtHand): Recorded {
    if (recorded.gates !== null) this.#onFreed(recorded.gates);
    this.#tellEnd(outcome, recorded.state, job);
    return 'recorded';
  }

  #tellEnd({ error, errorOrigin }: Outcome, state: JobState, job: JobAtHand): void {
    publishJobEnd(this.#events, job, { state, error, errorOrigin });
  }
}
