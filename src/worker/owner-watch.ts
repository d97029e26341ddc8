/**
 * Finds out whether an owner of running jobs is dead, when messages of its jobs have come back.
 *
 * Two witnesses: the broker has lost the consumer, and Postgres the owner's session (its lock is free; a beat that is late says nothing here). The
 * broker may see the dead socket first, hence several looks within a second. A living owner may be reconnecting, hence a lock that is found free has to
 * be free a little later too; whoever acts on the answer looks at the lock once more.
 *
 * Guarantees: one look at a time for an owner, however many of its jobs ask; that it is dead is remembered for a second, for those that ask later.
 */
import { sleep } from '#shared/base/backoff.ts';
import type { Database } from '#shared/postgres/database.ts';
import { lookAtOwner } from '#shared/postgres/statements/takeover.ts';

/** How long a lock must be free before the last look, in milliseconds, where no session of the worker is left. */
const GONE_MS = 10;
/** And where one is: a living owner that has lost the one session that holds the lock mostly has another one by then. */
const RETURN_MS = 40;
/** Between looks at a lock that is held, in milliseconds: short at first, then a share of the time that has passed, where the servers are slow. */
const LOOK_AGAIN_MS = 10;
const LOOK_AGAIN_SHARE = 0.1;
/** The messages hold slots meanwhile. */
const GIVE_UP_MS = 1_000;
/** The messages of a dead worker come back within that, in milliseconds. */
const REMEMBERED_MS = 1_000;

/** An owner whose lock was free long enough. Look at it once more. */
export interface DeadOwner {
  /** The name of its connections; empty where its row is gone. */
  name: string;
}

export class OwnerWatch {
  readonly #database: Database;
  readonly #verdicts = new Map<string, Promise<DeadOwner | undefined>>();

  constructor(database: Database) {
    this.#database = database;
  }

  /** Undefined where the owner lives. Throws `Unavailable`. */
  async findDead(owner: string): Promise<DeadOwner | undefined> {
    const known = this.#verdicts.get(owner);
    if (known !== undefined) return await known;
    const verdict = this.#watch(owner);
    this.#verdicts.set(owner, verdict);
    void this.#forget(owner, verdict);
    return await verdict;
  }

  async #watch(owner: string): Promise<DeadOwner | undefined> {
    const startedAt = performance.now();
    let freeSince: number | undefined;
    for (;;) {
      const look = await this.#database.query((sql) => lookAtOwner(sql, owner));
      const now = performance.now();
      freeSince = look.isLockFree ? (freeSince ?? now) : undefined;
      if (freeSince !== undefined) {
        const leftMs = (look.hasSessions ? RETURN_MS : GONE_MS) - (now - freeSince); // in this order it is exact at the first look
        await sleep(Math.max(0, Math.min(leftMs, LOOK_AGAIN_MS)));
        if (leftMs <= LOOK_AGAIN_MS) return { name: look.name };
      } else if (now - startedAt > GIVE_UP_MS) return undefined;
      else await sleep(Math.max(LOOK_AGAIN_MS, (now - startedAt) * LOOK_AGAIN_SHARE));
    }
  }

  async #forget(owner: string, verdict: Promise<DeadOwner | undefined>): Promise<void> {
    try {
      if ((await verdict) !== undefined) await sleep(REMEMBERED_MS);
    } catch {
      // who has asked is told
    }
    this.#verdicts.delete(owner);
  }
}
