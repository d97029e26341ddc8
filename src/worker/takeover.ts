/**
 * Takes over a running job of a known type whose message has come back, if its owner is dead: one verdict for all jobs of the owner, one statement for all that wait.
 */
import { sleep } from '#shared/base/backoff.ts';
import { Batcher } from '#shared/base/batcher.ts';
import type { Events } from '#shared/observe/events.ts';
import { publishJobEnd } from '#shared/observe/job-end.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Orphan, SizedOrphan } from '#shared/postgres/statements/takeover.ts';
import { findRunningElsewhere, takeOverJobs } from '#shared/postgres/statements/takeover.ts';
import type { ArgsRoom } from './args-room.ts';
import type { HeldJobs } from './held-jobs.ts';
import { OwnerWatch } from './owner-watch.ts';
import type { StartMarks } from './start-marks.ts';

/** So long the takeovers from one owner are counted before they are told of, in milliseconds. */
const TELL_AFTER_MS = 1_000;

/** Look-ups of owners at once: the messages of a dead worker come back within some milliseconds, and the last need not wait for the first. */
const LOOKUPS = 4;

export interface TakeoverOptions {
  database: Database;
  events: Events;
  startMarks: StartMarks;
  room: ArgsRoom;
  held: HeldJobs;
  /** The job types that this worker knows, as a literal of `texts`. */
  types: string;
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
  readonly #room: ArgsRoom;
  readonly #held: HeldJobs;
  readonly #events: Events;
  readonly #orphans: Batcher<string, SizedOrphan | undefined>;
  readonly #takings: Batcher<Orphan, Claim | undefined>;
  /** One delivery of a job at a time. */
  readonly #underWay = new Set<string>();
  /** By owner, what is to be told of. */
  readonly #tallies = new Map<string, Tally>();

  constructor({ database, events, startMarks, room, held, types, owner }: TakeoverOptions) {
    this.#events = events;
    this.#room = room;
    this.#held = held;
    this.#watch = new OwnerWatch(database);
    this.#orphans = new Batcher({
      concurrency: LOOKUPS,
      run: async (ids) => {
        const orphans = await database.query((sql) =>
          findRunningElsewhere(sql, ids, { owner: owner(), types }),
        );
        const byId = new Map(orphans.map((orphan) => [orphan.id, orphan]));
        return ids.map((id) => byId.get(id));
      },
    });
    this.#takings = new Batcher({
      run: async (orphans) => {
        const taken = await startMarks.claimed(
          (claimant) => database.query((sql) => takeOverJobs(sql, orphans, { ...claimant, types })),
          (claims) => claims.filter(({ state }) => state === 'running'),
        );
        const byId = new Map<string, Claim>();
        for (const { state, ...claim } of taken) {
          if (state === 'running') byId.set(claim.id, claim);
          else publishJobEnd(events, claim, { state });
        }
        return orphans.map(({ id }) => {
          const claim = byId.get(id);
          byId.delete(id); // two deliveries of one job do not both get it
          return claim;
        });
      },
    });
  }

  /** Whether a delivery of the job takes it over now. */
  isUnderWay(id: string): boolean {
    return this.#underWay.has(id);
  }

  /**
   * The claim, which is held then; waits for the room of its arguments. Undefined where the job is not running elsewhere, its owner lives, another delivery
   * takes it over, or `draining` aborts. Throws `Unavailable`.
   */
  async takeOver(id: string, draining: AbortSignal): Promise<Claim | undefined> {
    if (this.#underWay.has(id)) return undefined;
    this.#underWay.add(id);
    try {
      return await this.#takeOver(id, draining);
    } finally {
      this.#underWay.delete(id);
    }
  }

  async #takeOver(id: string, draining: AbortSignal): Promise<Claim | undefined> {
    const since = performance.now();
    const orphan = await this.#orphans.add(id);
    if (orphan === undefined) return undefined;
    const dead = await this.#watch.findDead(orphan.owner);
    if (dead === undefined) return undefined;
    if (!(await this.#room.take(orphan.argsBytes, draining))) return undefined;
    try {
      const claim = await this.#takings.add(orphan);
      if (claim === undefined) return undefined;
      this.#held.hold([claim]);
      this.#count(orphan.owner, dead.name, since);
      return claim;
    } finally {
      this.#room.give(orphan.argsBytes); // a claim that was made is counted by itself
    }
  }

  #count(owner: string, name: string, since: number): void {
    const tally = this.#tallies.get(owner) ?? { count: 0, since, lastAt: since };
    tally.count += 1;
    tally.lastAt = performance.now();
    if (tally.count > 1) return;
    this.#tallies.set(owner, tally);
    void sleep(TELL_AFTER_MS).then(() => {
      this.#tallies.delete(owner);
      const { count, lastAt } = tally;
      this.#events.publish('owner.taken-over', { owner, name, count, ms: Math.round(lastAt - tally.since) });
    });
  }
}
