/**
 * Takes over a running job whose message has come back, if its owner is dead: one verdict for all jobs of the owner, one statement for all that wait.
 */
import { pause } from '#shared/backoff.ts';
import { Batcher } from '#shared/batcher.ts';
import { publishEvent } from '#shared/events.ts';
import { publishJobEnd } from '#shared/job-end.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Orphan } from '#shared/postgres/job-takeover.ts';
import { findRunningElsewhere, takeOverJobs } from '#shared/postgres/job-takeover.ts';
import type { Claim } from '#shared/postgres/jobs.ts';
import { OwnerWatch } from './owner-watch.ts';
import type { StartMarks } from './start-marks.ts';

/** So long the takeovers from one owner are counted before they are told of, in milliseconds. */
const TELL_AFTER_MS = 1_000;

export interface TakeoverOptions {
  database: Database;
  startMarks: StartMarks;
  /** This worker's number. Throws `Unavailable` where the presence is not held. */
  owner: () => string;
}

interface Tally {
  count: number;
  since: number;
  lastAt: number;
}

export class Takeover {
  readonly #watch: OwnerWatch;
  readonly #owners: Batcher<string, string | undefined>;
  readonly #takings: Batcher<Orphan, Claim | undefined>;
  /** By owner, what is to be told of. */
  readonly #tallies = new Map<string, Tally>();

  constructor({ database, startMarks, owner }: TakeoverOptions) {
    this.#watch = new OwnerWatch(database);
    this.#owners = new Batcher({
      run: async (ids) => {
        const orphans = await database.query((sql) => findRunningElsewhere(sql, ids, owner()));
        const owners = new Map(orphans.map((orphan) => [orphan.id, orphan.owner]));
        return ids.map((id) => owners.get(id));
      },
    });
    this.#takings = new Batcher({
      run: async (orphans) => {
        const taken = await startMarks.claimed((claimant) =>
          database.query((sql) => takeOverJobs(sql, orphans, claimant)),
        );
        const byId = new Map<string, Claim>();
        for (const { state, ...claim } of taken) {
          if (state === 'running') byId.set(claim.id, claim);
          else publishJobEnd(claim, state);
        }
        return orphans.map(({ id }) => {
          const claim = byId.get(id);
          byId.delete(id); // two deliveries of one job do not both get it
          return claim;
        });
      },
    });
  }

  /** The claim; undefined where the job is not running elsewhere, or its owner lives. Throws `Unavailable`. */
  async takeOver(id: string): Promise<Claim | undefined> {
    const since = performance.now();
    const owner = await this.#owners.add(id);
    if (owner === undefined) return undefined;
    const dead = await this.#watch.findDead(owner);
    if (dead === undefined) return undefined;
    const claim = await this.#takings.add({ id, owner });
    if (claim !== undefined) this.#count(owner, dead.name, since);
    return claim;
  }

  #count(owner: string, name: string, since: number): void {
    const tally = this.#tallies.get(owner) ?? { count: 0, since, lastAt: since };
    tally.count += 1;
    tally.lastAt = performance.now();
    if (tally.count > 1) return;
    this.#tallies.set(owner, tally);
    void pause(TELL_AFTER_MS).then(() => {
      this.#tallies.delete(owner);
      const { count, lastAt } = tally;
      publishEvent('owner.taken-over', { owner, name, count, ms: Math.round(lastAt - tally.since) });
    });
  }
}
