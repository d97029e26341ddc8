/**
 * Follows jobs from state to state, for whoever wants to see them live.
 *
 * Guarantees: however many watch, a process asks Postgres once per look for all of their jobs together, a thousand ids to a statement, and nothing
 * while nobody watches; a job that has changed is read once for all who watch it. A slow watcher misses states and never the end. An outage of Postgres
 * only delays what is told.
 */
import { sleep } from '#shared/base/backoff.ts';
import { NotFound, Unavailable } from '#shared/base/errors.ts';
import type { Job } from '#shared/job/job.ts';
import { isEnd } from '#shared/job/transitions.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Progress } from '#shared/postgres/statements/read.ts';
import { findProgress } from '#shared/postgres/statements/read.ts';
import type { Browser } from './browse.ts';

/** Between two looks, in milliseconds: soon after somebody has begun to watch, then less often. */
const FIRST_LOOK_MS = 20;
const LOOK_MS = 200;
const GROWTH = 1.5;
const MAX_IDS = 1_000;
const MAX_WATCHERS = 10_000;

/** A job that somebody watches. */
interface Watched {
  watchers: number;
  /** How far it was at the last look; null: there is no such job any more. Undefined before the first look. */
  progress: Progress | null | undefined;
  /** Since it was that far. */
  read: Promise<Job> | undefined;
  /** Resolved and replaced when it has changed. */
  changed: PromiseWithResolvers<void>;
}

export class JobWatcher {
  readonly #database: Database;
  readonly #browser: Pick<Browser, 'find'>;
  readonly #watched = new Map<string, Watched>();
  readonly #stopping = new AbortController();
  #watchers = 0;
  #lookMs = FIRST_LOOK_MS;
  #soon = new AbortController();
  #looking: Promise<void> | undefined;

  constructor({ database, browser }: { database: Database; browser: Pick<Browser, 'find'> }) {
    this.#database = database;
    this.#browser = browser;
  }

  /**
   * The job as it is, and as it is after each change of its state or attempt, until it has ended or the signal aborts. Throws `NotFound`, and `Unavailable`
   * where Postgres is away at the beginning, too many watch, or the process stops.
   */
  async *watch(id: string, signal: AbortSignal): AsyncGenerator<Job, void, undefined> {
    if (this.#watchers >= MAX_WATCHERS)
      throw new Unavailable('watchers_full', `${MAX_WATCHERS} jobs are watched already`);
    const watched = this.#enter(id);
    const gone = Promise.withResolvers<void>();
    const leave = () => gone.resolve();
    signal.addEventListener('abort', leave, { once: true });
    try {
      let told: Job | undefined;
      while (!signal.aborted) {
        const { promise: changed } = watched.changed; // before it is read: what changes meanwhile is not missed
        const job = await this.#read(id, watched, told);
        if (job !== undefined && !isAsTold(job, told)) {
          told = job;
          yield job;
        }
        if (told !== undefined && isEnd(told.state)) return;
        await Promise.race([changed, gone.promise]);
        if (this.#stopping.signal.aborted) throw stopped();
      }
    } finally {
      signal.removeEventListener('abort', leave);
      this.#leave(id, watched);
    }
  }

  /** Ends every watch. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const watched of this.#watched.values()) tell(watched);
    await this.#looking;
  }

  #enter(id: string): Watched {
    if (this.#stopping.signal.aborted) throw stopped();
    const watched = this.#watched.get(id) ?? {
      watchers: 0,
      progress: undefined,
      read: undefined,
      changed: Promise.withResolvers<void>(),
    };
    watched.watchers += 1;
    this.#watchers += 1;
    this.#watched.set(id, watched);
    this.#lookMs = FIRST_LOOK_MS;
    this.#soon.abort();
    this.#looking ??= this.#look();
    return watched;
  }

  #leave(id: string, watched: Watched): void {
    this.#watchers -= 1;
    watched.watchers -= 1;
    if (watched.watchers === 0) this.#watched.delete(id);
  }

  /** Undefined where Postgres is away and something was told already: the next look tells. */
  async #read(id: string, watched: Watched, told: Job | undefined): Promise<Job | undefined> {
    if (watched.progress === null) throw new NotFound('there is no such job any more');
    watched.read ??= this.#browser.find(id);
    try {
      const job = await watched.read;
      watched.progress ??= { id, state: job.state, attempt: job.attempt };
      return job;
    } catch (error) {
      watched.read = undefined;
      watched.progress = undefined; // so that the next look tells again
      if (told === undefined || !(error instanceof Unavailable)) throw error;
      return undefined;
    }
  }

  async #look(): Promise<void> {
    const { signal } = this.#stopping;
    while (this.#watched.size > 0 && !signal.aborted) {
      this.#soon = new AbortController();
      await sleep(this.#lookMs - FIRST_LOOK_MS, AbortSignal.any([signal, this.#soon.signal]));
      await sleep(FIRST_LOOK_MS, signal);
      this.#lookMs = Math.min(this.#lookMs * GROWTH, LOOK_MS);
      const ids = [...this.#watched.keys()];
      for (let from = 0; from < ids.length && !signal.aborted; from += MAX_IDS)
        await this.#lookAt(ids.slice(from, from + MAX_IDS));
    }
    this.#looking = undefined;
  }

  async #lookAt(ids: readonly string[]): Promise<void> {
    let rows: Progress[];
    try {
      rows = await this.#database.query((sql) => findProgress(sql, ids));
    } catch {
      return; // the next look tells; whoever begins to watch now is told by its own read
    }
    const byId = new Map(rows.map((row) => [row.id, row]));
    for (const id of ids) {
      const watched = this.#watched.get(id);
      if (watched === undefined) continue;
      const progress = byId.get(id) ?? null;
      const before = watched.progress;
      if (before !== undefined && before?.state === progress?.state && before?.attempt === progress?.attempt)
        continue;
      watched.progress = progress;
      watched.read = undefined;
      tell(watched);
    }
  }
}

function tell(watched: Watched): void {
  watched.changed.resolve();
  watched.changed = Promise.withResolvers<void>();
}

function isAsTold(job: Job, told: Job | undefined): boolean {
  return told !== undefined && job.state === told.state && job.attempt === told.attempt;
}

function stopped(): Unavailable {
  return new Unavailable('stopping', 'this process stops: watch again, elsewhere');
}
