/**
 * Takes over a running job whose message has come back, if its owner is dead.
 *
 * Two witnesses: the broker has lost the consumer, and Postgres the owner's session (its lock is free; a beat that is late says nothing here). The
 * broker may see the dead socket first, and a living owner may be reconnecting: hence several looks within a second, and only two in a row that find
 * the lock free will do.
 */
import { pause } from '#shared/backoff.ts';
import { Batcher } from '#shared/batcher.ts';
import { publishJobEnd } from '#shared/job-end.ts';
import type { Database } from '#shared/postgres/database.ts';
import { findOrphans, takeOverJobs } from '#shared/postgres/job-takeover.ts';
import type { Claim } from '#shared/postgres/jobs.ts';
import type { StartMarks } from './start-marks.ts';

/**
 * Between the looks, in milliseconds: short at first, for the takeover; longer later, where the servers are slow and so may be the return of a living
 * owner. The message holds a slot meanwhile.
 */
const BETWEEN_LOOKS_MS = [40, 40, 40, 40, 40, 40, 40, 40, 80, 80, 160, 320];

export interface TakeoverOptions {
  database: Database;
  startMarks: StartMarks;
}

export class Takeover {
  readonly #looks: Batcher<string, boolean>;
  readonly #takings: Batcher<string, Claim | undefined>;

  constructor({ database, startMarks }: TakeoverOptions) {
    this.#looks = new Batcher({
      run: async (ids) => {
        const orphans = await database.query((sql) => findOrphans(sql, ids));
        return ids.map((id) => orphans.has(id));
      },
    });
    this.#takings = new Batcher({
      run: async (ids) => {
        const taken = await startMarks.claimed((claimant) =>
          database.query((sql) => takeOverJobs(sql, ids, claimant)),
        );
        const byId = new Map<string, Claim>();
        for (const { state, ...claim } of taken) {
          if (state === 'running') byId.set(claim.id, claim);
          else publishJobEnd(claim, state);
        }
        return ids.map((id) => {
          const claim = byId.get(id);
          byId.delete(id); // two deliveries of one job do not both get it
          return claim;
        });
      },
    });
  }

  /** The claim, or undefined where the owner lives. Throws `Unavailable`. */
  async attempt(id: string): Promise<Claim | undefined> {
    let wasOrphan = await this.#looks.add(id);
    for (const waitMs of BETWEEN_LOOKS_MS) {
      await pause(waitMs);
      const isOrphan = await this.#looks.add(id);
      if (isOrphan && wasOrphan) return await this.#takings.add(id);
      wasOrphan = isOrphan;
    }
    return undefined;
  }
}
