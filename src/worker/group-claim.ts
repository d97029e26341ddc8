/**
 * The claim of one group of deliveries of a queue: takes those jobs that it can with one statement, two where some have their room already, and finds
 * out what is the matter with the others. Where others of the queue go first (urgent ones, or those that they have overtaken), each delivery is a permit
 * to start one of those as well (permits.ts).
 *
 * Guarantees: what it has claimed is held when it ends; no more arguments are claimed than there is room for; a job that is asked for twice is claimed
 * for one of the deliveries; no permit ends unused while a job is owed that it could start. Must not know messages: what becomes of them is decided by
 * who asked.
 */
import { sleep } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Claim, DeliveryClaimant, TypedClaimant } from '#shared/postgres/statements/claim.ts';
import { claimJobs, reclaimJobs } from '#shared/postgres/statements/claim.ts';
import { claimByPermits } from '#shared/postgres/statements/permits.ts';
import type { Standing } from '#shared/postgres/statements/read.ts';
import { findStandings } from '#shared/postgres/statements/read.ts';
import type { ArgsRoom } from './args-room.ts';
import { LARGE_ABOVE_BYTES } from './args-room.ts';
import type { GroupClaimResult } from './claim-results.ts';
import { assignClaims, claimsIn, NotClaimed } from './claim-results.ts';
import type { HeldJobs } from './held-jobs.ts';
import type { PermitPeriod } from './permit-period.ts';
import { mayStartAnother, toRefusal } from './refusal.ts';

/** Another claim may have locked what a permit could start: so often it is looked for again, and after so long, in milliseconds. */
const MOST_ROUNDS = 10;
const NEXT_ROUND_MS = 2;

/** A job to claim. `hasRoom`: room for its arguments is taken already. */
export interface Wish {
  id: string;
  hasRoom: boolean;
}

/** What the claims of all groups have in common. */
export interface GroupClaimContext {
  database: Database;
  room: ArgsRoom;
  held: HeldJobs;
  /** The job types that this worker knows. */
  types: ReadonlySet<string>;
  /** Whether another delivery of the job takes it over now. */
  isTakenOver: (id: string) => boolean;
  /** Resolves when the claim without messages that is under way now, if any, is held. */
  laneClaim: () => Promise<unknown>;
  /** Told of every job that was claimed for its own delivery. */
  onClaimed: (claim: Claim) => void;
}

/** `queue`: that of the deliveries; undefined where there are none (a claim that was not heard of). */
export interface GroupClaimant extends TypedClaimant {
  queue: string | undefined;
  period: PermitPeriod;
}

type Sized = GroupClaimant & { maxArgsBytes: number };

export class GroupClaim {
  readonly #context: GroupClaimContext;
  readonly #claimant: GroupClaimant;
  /** By job. */
  readonly #results = new Map<string, GroupClaimResult>();
  /** Claims of jobs that no delivery of the group has brought: permits were spent on them. */
  readonly #others: Claim[] = [];

  constructor(context: GroupClaimContext, claimant: GroupClaimant) {
    this.#context = context;
    this.#claimant = claimant;
  }

  /** Once. Returns the results in the order of the wishes. Throws `Unavailable`. */
  async claim(wishes: readonly Wish[]): Promise<GroupClaimResult[]> {
    const { held } = this.#context;
    const askedAt = held.restorations;
    const { small } = this.#context.room;
    for (const { id } of wishes)
      if (held.has(id)) this.#results.set(id, { kind: 'refused', reason: 'runs-here' });
    const withRoom = new Set(wishes.filter(({ hasRoom }) => hasRoom).map(({ id }) => id));
    const unsized = wishes.map(({ id }) => id).filter((id) => !withRoom.has(id));
    const reserved = small.takeUpTo(unsized.length * LARGE_ABOVE_BYTES);
    try {
      const maxArgsBytes = Math.floor(reserved / unsized.length);
      await this.#claimUnsized(unsized, { ...this.#claimant, maxArgsBytes });
      await this.#claimWithRoom([...withRoom].filter((id) => !this.#results.has(id)));
      const results = assignClaims(wishes, this.#results, this.#others);
      held.hold(claimsIn(results), askedAt); // what no delivery runs must not be held: a later look finds it, and runs it
      return results;
    } finally {
      small.give(reserved);
    }
  }

  async #claimUnsized(ids: readonly string[], sized: Sized): Promise<void> {
    const { queue, period } = sized;
    if (queue === undefined || !period.isOn) {
      await this.#claimOwn(
        ids.filter((id) => !this.#results.has(id)),
        sized,
      );
      if (!(await this.#mayUsePermits(ids, sized, 'tried'))) return;
    }
    for (let round = 1; round <= MOST_ROUNDS; round += 1) {
      await this.#claimByPermits(this.#unspent(ids), sized);
      if (!(await this.#mayUsePermits(ids, sized))) return;
      await sleep(NEXT_ROUND_MS);
    }
  }

  /** What has its room is claimed for its own delivery, whoever else waits. */
  async #claimWithRoom(ids: readonly string[]): Promise<void> {
    await this.#claimOwn(ids, { ...this.#claimant, queue: undefined });
    const left = this.#unclaimed(ids);
    if (left.length > 0)
      await this.#explain(left, { ...this.#claimant, maxArgsBytes: Number.POSITIVE_INFINITY });
  }

  async #claimOwn(ids: readonly string[], claimant: DeliveryClaimant): Promise<void> {
    if (ids.length === 0) return;
    for (const claim of await this.#context.database.query((sql) => claimJobs(sql, ids, claimant)))
      this.#claimed(claim);
  }

  async #claimByPermits(ids: readonly string[], { queue = '', ...sized }: Sized): Promise<void> {
    const { database, held } = this.#context;
    const permits = ids.map((id) => ({ id, isHeld: held.has(id) }));
    const claims = await database.query((sql) =>
      claimByPermits(sql, permits, { ...sized, queue, except: held.ids }),
    );
    const own = new Set(ids);
    for (const claim of claims) {
      if (own.has(claim.id)) this.#claimed(claim);
      else this.#others.push(claim);
    }
  }

  #claimed(claim: Claim): void {
    this.#results.set(claim.id, { kind: 'claimed', claim });
    this.#context.onClaimed(claim);
  }

  #unclaimed(ids: readonly string[]): string[] {
    return ids.filter((id) => this.#results.get(id)?.kind !== 'claimed');
  }

  /** Those without a claim of their own, less as many as were permits of others: each starts one job. */
  #unspent(ids: readonly string[]): string[] {
    let spent = this.#others.length;
    return this.#unclaimed(ids).filter((id) => {
      const result = this.#results.get(id);
      const isSpent = spent > 0 && result !== undefined && mayStartAnother(result);
      if (isSpent) spent -= 1;
      return !isSpent;
    });
  }

  /**
   * Finds out about the deliveries that have no claim. Returns whether one of them may be the permit of another job; or, after `tried`, of its own: it
   * was not claimed because others went first, who may have been started meanwhile.
   */
  async #mayUsePermits(ids: readonly string[], sized: Sized, own?: 'tried'): Promise<boolean> {
    const left = this.#unclaimed(ids);
    if (left.length <= this.#others.length) return false;
    const hasOthersFirst = await this.#explain(left, sized);
    if (hasOthersFirst) sized.period.renew();
    const unused = left.flatMap((id) => this.#results.get(id) ?? []).filter(mayStartAnother);
    const ownWaits =
      own === 'tried' && unused.some((result) => result.kind === 'refused' && result.reason === 'waits');
    return sized.queue !== undefined && unused.length > this.#others.length && (hasOthersFirst || ownWaits);
  }

  /**
   * The rare cases: large, redelivered, duplicated, cancelled, paused or foreign; a job that another permit has started; and a claim of ours whose answer
   * was lost. Returns whether others go first in the queue.
   */
  async #explain(ids: readonly string[], claimant: Sized): Promise<boolean> {
    const { database, held, types, isTakenOver, laneClaim } = this.#context;
    const { queue, maxArgsBytes } = claimant;
    const scope = queue === undefined ? undefined : { ...claimant, queue };
    const standings = await database.query((sql) => findStandings(sql, ids, scope));
    const closed = standings.filter(({ state, areClaimsOpen }) => state === 'available' && !areClaimsOpen);
    if (closed.length > 0)
      throw new Unavailable(
        'claims_closed',
        'Postgres has crashed: nobody claims until the workers are back',
        new NotClaimed(closed.map(({ id }) => id)),
      );
    await laneClaim(); // what it has claimed before this look is held then, and not unheard
    const results = new Map<string, GroupClaimResult>(
      ids.map((id) => [id, { kind: 'refused', reason: 'unknown' }]),
    );
    const unheard: Standing[] = [];
    for (const standing of standings) {
      const { id, type, state, owner, argsBytes, isLate } = standing;
      const isMine = held.has(id) || (state === 'running' && owner === claimant.owner);
      const isHere = queue === undefined || queue === standing.queue; // the claims of another queue may be under way
      const isUnheard = isMine && isHere && !held.has(id) && !isTakenOver(id);
      const isWanted =
        isUnheard || (!isMine && isHere && state === 'available' && !isLate && types.has(type));
      if (isWanted && argsBytes > maxArgsBytes) {
        results.set(id, { kind: 'no-room', wantsBytes: argsBytes });
        continue;
      }
      if (isUnheard) unheard.push(standing);
      results.set(
        id,
        isMine ? { kind: 'refused', reason: 'runs-here' } : toRefusal(standing, { types, queue }),
      );
    }
    if (unheard.length > 0) {
      for (const claim of await database.query((sql) => reclaimJobs(sql, unheard, claimant)))
        results.set(claim.id, { kind: 'claimed', claim });
    }
    for (const [id, result] of results) this.#results.set(id, result);
    return standings.some(({ hasOthersFirst }) => hasOthersFirst);
  }
}
