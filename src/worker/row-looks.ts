/**
 * What a worker reads from the rows again: which of its running jobs are to be cancelled or were claimed without its hearing of it, and what
 * people have set for its queues. It looks now and then, and when somebody asks it to: a notice, a presence that is held again.
 *
 * Guarantees: what was read last is applied last; however often it is asked, each look is made at most twenty times a second. A look that fails is
 * reported, and made again at the next occasion.
 */
import { sleep } from '#shared/base/backoff.ts';
import { coalesce } from '#shared/base/coalesce.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Presence } from '#shared/postgres/presence.ts';
import { findOwnJobs } from '#shared/postgres/statements/control.ts';
import type { StoredQueue } from '#shared/postgres/statements/queues.ts';
import { findQueues } from '#shared/postgres/statements/queues.ts';
import type { Attempts } from './attempt.ts';
import type { Claimer } from './claimer.ts';
import type { ServedQueues } from './served-queues.ts';

/** How often a busy worker looks at the rows of its jobs, should an answer or a notice have been missed, in milliseconds. */
const LOOK_BUSY_MS = 10_000;
/** How often every worker does, and at its queues. */
const LOOK_MS = 30_000;
/** Between two looks that were asked for, in milliseconds. */
const BETWEEN_LOOKS_MS = 50;

export interface RowLooksOptions {
  database: Database;
  events: Events;
  /** This worker's number; undefined before its presence was held. */
  owner: () => string | undefined;
  /** Whether rows may say that jobs run here. */
  mayHold: () => boolean;
  /** The job's row says that it is to be cancelled. */
  cancel: (jobId: string) => void;
  /** The rows of these jobs say that they run here, and have for a while. */
  runUnheard: (jobIds: readonly string[]) => void;
  applyQueues: (stored: readonly StoredQueue[]) => void;
}

export class RowLooks {
  readonly #options: RowLooksOptions;
  readonly #draining = new AbortController();
  #stopped = false;
  #repeating: Promise<unknown> = Promise.resolve();
  /** Looks at this worker's running jobs. Never rejects. */
  readonly atOwnJobs = coalesce(() => this.#lookAtOwnJobs(), BETWEEN_LOOKS_MS);
  /** Looks at what is set for the queues. Never rejects. */
  readonly atQueues = coalesce(() => this.#lookAtQueues(), BETWEEN_LOOKS_MS);

  constructor(options: RowLooksOptions) {
    this.#options = options;
  }

  start(): void {
    this.#repeating = Promise.all([
      this.#repeat(LOOK_BUSY_MS, async () => {
        if (this.#options.mayHold()) await this.atOwnJobs();
      }),
      this.#repeat(LOOK_MS, async () => {
        await Promise.all([this.atQueues(), this.atOwnJobs()]);
      }),
    ]);
  }

  /** From now on nothing that is set for a queue is applied. The jobs that run still may be cancelled until `stop`. */
  drain(): void {
    this.#draining.abort();
  }

  /** Resolves when no look is under way. */
  async stop(): Promise<void> {
    this.drain();
    this.#stopped = true;
    await this.#repeating;
  }

  async #repeat(everyMs: number, look: () => Promise<void>): Promise<void> {
    while (!this.#draining.signal.aborted) {
      await sleep(everyMs, this.#draining.signal);
      if (!this.#draining.signal.aborted) await look();
    }
  }

  async #lookAtQueues(): Promise<void> {
    try {
      const stored = await this.#options.database.query(findQueues);
      if (!this.#draining.signal.aborted) this.#options.applyQueues(stored);
    } catch (error) {
      this.#report('queues', error);
    }
  }

  async #lookAtOwnJobs(): Promise<void> {
    const { database, owner, cancel, runUnheard } = this.#options;
    const current = owner();
    if (current === undefined || this.#stopped) return;
    try {
      const jobs = await database.query((sql) => findOwnJobs(sql, current));
      for (const { id, isCancelRequested } of jobs) if (isCancelRequested) cancel(id);
      runUnheard(jobs.filter(({ isSettled }) => isSettled).map(({ id }) => id));
    } catch (error) {
      this.#report('own jobs', error);
    }
  }

  #report(task: string, error: unknown): void {
    if (!this.#stopped) this.#options.events.publish('maintenance.failed', { task, error });
  }
}

interface LookedAt {
  database: Database;
  events: Events;
  presence: Presence;
  claimer: Claimer;
  attempts: Attempts;
  queues: Pick<ServedQueues, 'apply'>;
}

export function createRowLooks({
  database,
  events,
  presence,
  claimer,
  attempts,
  queues,
}: LookedAt): RowLooks {
  return new RowLooks({
    database,
    events,
    owner: () => presence.owner,
    mayHold: () => claimer.mayHold,
    cancel: (jobId) => attempts.running.cancel(jobId),
    runUnheard: (jobIds) => attempts.runUnheard(jobIds),
    applyQueues: (stored) => queues.apply(stored),
  });
}
