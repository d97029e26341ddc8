/**
 * What the watchers of this process ask to be recorded: told to Postgres once for each filter, whoever shares it, and again now and then for as long as
 * somebody watches.
 *
 * Guarantees: when an interest is kept, whatever is committed from then on is recorded; it outlives its last watcher by a minute, so that one who comes back finds what
 * has happened meanwhile. However many filters come and go, the rows of this process are bounded: each change of a job is held against all of them.
 */
import { sleep } from '#shared/base/backoff.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Interest } from '#shared/postgres/statements/events.ts';
import { findUnaware, keepInterests } from '#shared/postgres/statements/events.ts';
import { toInterest } from './event-filter.ts';

const KEPT_MS = 60_000;
const RENEW_MS = 15_000;
/** As long as any statement of a program may take, in milliseconds: a transaction of an application's own that lasts longer is not waited for. */
const UNAWARE_MS = 5_000;
const LOOK_MS = 10;

/** Filters of a process that are recorded by themselves. */
const MAX_FILTERS = 100;
const EVERYTHING = toInterest({});

interface Held {
  interest: Interest;
  watchers: number;
}

export class Interests {
  readonly #database: Database;
  readonly #held = new Map<string, Held>();
  /** Until when the row of a filter may be there, by its key. */
  readonly #told = new Map<string, number>();
  #renewAt = 0;

  constructor(database: Database) {
    this.#database = database;
  }

  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** What is to be recorded for it: itself, or all that happens, where too many filters are recorded already. */
  recordedFor(interest: Interest): Interest {
    const now = performance.now();
    for (const [key, until] of this.#told) if (until < now && !this.#held.has(key)) this.#told.delete(key);
    return this.#told.has(interest.key) || this.#told.size < MAX_FILTERS ? interest : EVERYTHING;
  }

  /** Somebody watches: resolves with the time since which what was asked for is complete, when nothing that is committed from now on can be missing. */
  async enter(interest: Interest): Promise<string> {
    const held = this.#held.get(interest.key) ?? { interest, watchers: 0 };
    held.watchers += 1;
    this.#held.set(interest.key, held);
    try {
      const kept = await this.#keep([interest]);
      return kept.get(interest.key) ?? '0';
    } catch (error) {
      this.leave(interest);
      throw error;
    }
  }

  leave({ key }: Interest): void {
    const held = this.#held.get(key);
    if (held === undefined) return;
    held.watchers -= 1;
    if (held.watchers === 0) this.#held.delete(key);
  }

  /** Asks for everything again where it is time to: since when each is complete, by its key. Nothing where it is not. */
  async renew(): Promise<ReadonlyMap<string, string>> {
    if (performance.now() < this.#renewAt || this.isEmpty) return new Map();
    const kept = await this.#keep([...this.#held.values()].map(({ interest }) => interest));
    this.#renewAt = performance.now() + RENEW_MS;
    return kept;
  }

  async #keep(interests: readonly Interest[]): Promise<Map<string, string>> {
    for (const { key } of interests) this.#told.set(key, performance.now() + KEPT_MS);
    const kept = await this.#database.query((sql) => keepInterests(sql, interests, KEPT_MS));
    if (kept.some(({ isNew }) => isNew)) await this.#awaitUnaware();
    return new Map(kept.map(({ key, completeSince }) => [key, completeSince]));
  }

  /** Who has looked for watches before this one was committed records nothing for it. Waits for the end of those transactions. */
  async #awaitUnaware(): Promise<void> {
    const deadline = performance.now() + UNAWARE_MS;
    let unaware = await this.#database.query((sql) => findUnaware(sql));
    while (unaware.length > 0 && performance.now() < deadline) {
      await sleep(LOOK_MS);
      const among = unaware;
      unaware = await this.#database.query((sql) => findUnaware(sql, among));
    }
  }
}
