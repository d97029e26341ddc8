/**
 * Claims jobs for the deliveries of all channels, by group commit, and finds out what is the matter with those it cannot claim.
 *
 * Guarantees: nothing is claimed while this worker's presence is not held (others would take it for dead); a job that runs, here or under another
 * living owner, is not claimed, nor is one of a type that this worker does not know; no more arguments are claimed than there is room for, and a delivery whose job has larger ones waits for it, in turn,
 * while its job stays available; a job that is refused and not at its end has its message noted as spent, so that the relay sends another.
 */
import { Batcher } from '#shared/base/batcher.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Presence } from '#shared/postgres/presence.ts';
import type { Claim, Claimant, SizedClaimant } from '#shared/postgres/statements/claim.ts';
import { claimJobs, reclaimJobs } from '#shared/postgres/statements/claim.ts';
import type { FreeSlots } from '#shared/postgres/statements/claim-next.ts';
import { claimNextJobs } from '#shared/postgres/statements/claim-next.ts';
import { texts } from '#shared/postgres/statements/parts.ts';
import { spendMessages } from '#shared/postgres/statements/publish.ts';
import type { Standing } from '#shared/postgres/statements/read.ts';
import { findStandings } from '#shared/postgres/statements/read.ts';
import type { ArgsRoom } from './args-room.ts';
import { LARGE_ABOVE_BYTES } from './args-room.ts';
import type { Refusal } from './refusal.ts';
import { toRefusal } from './refusal.ts';
import { StartMarks } from './start-marks.ts';
import { Takeover } from './takeover.ts';

/** A message that came: `redelivered` as the broker says, so that its earlier consumer has lost it or has given it back. */
export interface Delivered {
  id: string;
  redelivered: boolean;
}

/** The job could be had, but for the room that its arguments want. */
interface NoRoom {
  wantsBytes: number;
}

/** A job to claim. `hasRoom`: room for its arguments is taken already. */
type Wish = Pick<Delivered, 'id'> & { hasRoom: boolean };

export interface ClaimerOptions {
  database: Database;
  events: Events;
  presence: Presence;
  room: ArgsRoom;
  /** The job types that this worker knows. */
  types: readonly string[];
}

export class Claimer {
  readonly #database: Database;
  readonly #presence: Presence;
  readonly #startMarks: StartMarks;
  readonly #takeover: Takeover;
  readonly #types: ReadonlySet<string>;
  /** The same for statements. */
  readonly #typesLiteral: string;
  readonly #room: ArgsRoom;
  /** What this process has claimed and not released. Each has its room. */
  readonly #held = new Map<string, { fence: number; argsBytes: number }>();
  /** Jobs whose delivery waits for room: another delivery of the same job is not wanted. */
  readonly #waiting = new Set<string>();
  readonly #delivered: Record<string, number> = {};
  /** Jobs that are being taken over: one delivery of a job at a time. */
  readonly #taking = new Set<string>();
  /** The claim without messages that is under way. */
  #asking: Promise<unknown> = Promise.resolve();
  readonly #claims: Batcher<Wish, Claim | Refusal | NoRoom>;
  readonly #spent: Batcher<string, undefined>;

  constructor({ database, events, presence, room, types }: ClaimerOptions) {
    this.#types = new Set(types);
    this.#typesLiteral = texts(types);
    this.#room = room;
    this.#database = database;
    this.#presence = presence;
    this.#startMarks = new StartMarks({
      tell: (batch) => presence.tellStarted(batch),
      owner: () => this.#owner(),
      isRunning: () => this.#held.size > 0,
    });
    const shared = { database, events, startMarks: this.#startMarks, room, types: this.#typesLiteral };
    this.#takeover = new Takeover({ ...shared, owner: () => this.#owner() });
    this.#claims = new Batcher({
      run: (wishes) =>
        this.#startMarks.claimed(
          (claimant) => this.#claim(wishes, claimant),
          (results) => results.filter((result) => 'fence' in result),
        ),
    });
    this.#spent = new Batcher({
      run: async (ids) => {
        await database.query((sql) => spendMessages(sql, ids));
        return ids.map(() => undefined);
      },
    });
  }

  /**
   * Waits for room where the job's arguments want more than there is; undefined where `draining` aborts meanwhile. Throws `Unavailable` where nobody can
   * tell now; the claim may have been made all the same, and a later call finds it.
   */
  async claim({ id, redelivered }: Delivered, draining: AbortSignal): Promise<Claim | Refusal | undefined> {
    if (this.#waiting.has(id) && !redelivered) return { reason: 'twice' };
    if (redelivered && !this.holds(id)) {
      const claim = await this.#takeOver(id, draining);
      if (claim !== undefined) return claim;
    }
    let result = await this.#claims.add({ id, hasRoom: false });
    while ('wantsBytes' in result) {
      const settled = await this.#claimInTurn(id, result.wantsBytes, draining);
      if (settled === undefined) return undefined;
      result = settled;
    }
    if ('fence' in result) return result;
    if (['runs-here', 'runs-elsewhere', 'waits'].includes(result.reason)) await this.#spent.add(id);
    return result;
  }

  /** Claims what is available, without a message. Throws `Unavailable`. */
  async claimNext(wanted: readonly FreeSlots[]): Promise<Claim[]> {
    const asking = this.#startMarks.claimed(
      (claimant) => this.#claimNext(wanted, claimant),
      (claims) => claims,
    );
    this.#asking = asking.catch(() => {}); // who asks is told
    return await asking;
  }

  async #claimNext(wanted: readonly FreeSlots[], claimant: Claimant): Promise<Claim[]> {
    const { small, large } = this.#room;
    const smallBytes = small.takeUpTo(small.maxBytes);
    const largeBytes = large.takeUpTo(large.maxBytes);
    const budget = { smallBytes, largeBytes, largeAbove: LARGE_ABOVE_BYTES, mostBytes: large.maxBytes };
    const except = [...this.#held.keys()];
    try {
      const claims = await this.#database.query((sql) =>
        claimNextJobs(sql, { wanted, except, budget, ...claimant, types: this.#typesLiteral }),
      );
      return this.#hold(claims);
    } finally {
      small.give(smallBytes);
      large.give(largeBytes);
    }
  }

  /** Whether this process has a live attempt of the job. */
  holds(id: string): boolean {
    return this.#held.has(id);
  }

  /** Whether rows may say that jobs run here. */
  get mayHold(): boolean {
    return this.#held.size > 0 || this.#startMarks.hasUnheard;
  }

  /** The claim's handler starts now: from here on the attempt is charged, should this worker die. */
  started(claim: Claim): void {
    this.#startMarks.started(claim);
  }

  /** The attempt is over and recorded. */
  release({ id, fence }: Claim): void {
    this.#startMarks.started({ id, fence }); // one that was handed back holds nothing up
    const held = this.#held.get(id);
    if (held?.fence !== fence) return;
    this.#held.delete(id);
    this.#room.give(held.argsBytes);
  }

  /** By queue, the latest due time among the jobs that were delivered here: their messages were published after it. */
  get delivered(): Readonly<Record<string, number>> {
    return this.#delivered;
  }

  async #takeOver(id: string, draining: AbortSignal): Promise<Claim | undefined> {
    if (this.#taking.has(id)) return undefined;
    this.#taking.add(id);
    try {
      const claim = await this.#takeover.takeOver(id, draining);
      if (claim === undefined) return undefined;
      this.#hold([claim]);
      this.#room.give(claim.argsBytes); // it counts by itself now
      return claim;
    } finally {
      this.#taking.delete(id);
    }
  }

  #hold(claims: Claim[]): Claim[] {
    for (const { id, fence, argsBytes } of claims) {
      this.#held.set(id, { fence, argsBytes });
      this.#room.count(argsBytes);
    }
    return claims;
  }

  #owner(): string {
    const { held, owner } = this.#presence;
    if (!held || owner === undefined) throw new Unavailable('no_presence', 'the presence is not held');
    return owner;
  }

  /** Waits for room and claims the job then. Undefined where the worker drains first. */
  async #claimInTurn(
    id: string,
    argsBytes: number,
    draining: AbortSignal,
  ): Promise<Claim | Refusal | NoRoom | undefined> {
    this.#waiting.add(id);
    try {
      if (!(await this.#room.take(argsBytes, draining))) return undefined;
    } finally {
      this.#waiting.delete(id);
    }
    try {
      return await this.#claims.add({ id, hasRoom: true });
    } finally {
      this.#room.give(argsBytes); // a claim that was made is counted by itself
    }
  }

  async #claim(wishes: readonly Wish[], claimant: Claimant): Promise<(Claim | Refusal | NoRoom)[]> {
    const results = new Map<string, Claim | Refusal | NoRoom>();
    for (const { id } of wishes) if (this.holds(id)) results.set(id, { reason: 'runs-here' });
    const wanted = wishes.filter(({ id }) => !results.has(id));
    const withRoom = new Set(wanted.filter(({ hasRoom }) => hasRoom).map(({ id }) => id));
    const unsized = new Set(wanted.map(({ id }) => id)).difference(withRoom);
    const { small } = this.#room;
    const reserved = small.takeUpTo(unsized.size * LARGE_ABOVE_BYTES);
    try {
      const maxArgsBytes = Math.floor(reserved / unsized.size);
      const typed = { ...claimant, types: this.#typesLiteral };
      await this.#claimInto(results, [...unsized], { ...typed, maxArgsBytes });
      await this.#claimInto(results, [...withRoom], typed);
      this.#hold([...results.values()].filter((result) => 'fence' in result));
    } finally {
      small.give(reserved);
    }
    return wishes.map(({ id }) => {
      const result = results.get(id) ?? { reason: 'twice' };
      if ('fence' in result) results.delete(id); // one delivery of several gets the claim
      return result;
    });
  }

  /** Claims those of the jobs that it can, and finds out about the others. */
  async #claimInto(
    results: Map<string, Claim | Refusal | NoRoom>,
    ids: readonly string[],
    claimant: SizedClaimant,
  ): Promise<void> {
    if (ids.length === 0) return;
    for (const claim of await this.#database.query((sql) => claimJobs(sql, ids, claimant))) {
      results.set(claim.id, claim);
      this.#noteDelivery(claim);
    }
    const left = ids.filter((id) => !results.has(id));
    if (left.length === 0) return;
    for (const [id, result] of await this.#explain(left, claimant)) results.set(id, result);
  }

  #noteDelivery({ queue, dueAt }: Claim): void {
    if (dueAt > (this.#delivered[queue] ?? 0)) this.#delivered[queue] = dueAt;
  }

  /** The rare cases: large, redelivered, duplicated, cancelled, paused or foreign; and a claim of ours whose answer was lost. */
  async #explain(
    ids: readonly string[],
    claimant: SizedClaimant,
  ): Promise<Map<string, Claim | Refusal | NoRoom>> {
    const standings = await this.#database.query((sql) => findStandings(sql, ids));
    await this.#asking; // what it has claimed before this look is held then, and not unheard
    const results = new Map<string, Claim | Refusal | NoRoom>(ids.map((id) => [id, { reason: 'unknown' }]));
    const unheard: Standing[] = [];
    const { maxArgsBytes = Number.POSITIVE_INFINITY } = claimant;
    for (const standing of standings) {
      const { id, type, state, owner, argsBytes } = standing;
      const isMine = state === 'running' && owner === claimant.owner;
      const isUnheard = isMine && !this.holds(id) && !this.#taking.has(id);
      const isWanted = isUnheard || (state === 'available' && this.#types.has(type));
      if (isWanted && argsBytes > maxArgsBytes) {
        results.set(id, { wantsBytes: argsBytes });
        continue;
      }
      if (isUnheard) unheard.push(standing);
      results.set(id, isMine ? { reason: 'runs-here' } : toRefusal(standing, this.#types));
    }
    if (unheard.length > 0) {
      for (const claim of await this.#database.query((sql) => reclaimJobs(sql, unheard, claimant)))
        results.set(claim.id, claim);
    }
    return results;
  }
}
