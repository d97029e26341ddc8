/**
 * The claim of one group of deliveries: takes those jobs that it can with one statement, two where some have their room already, and finds out what
 * is the matter with the others.
 *
 * Guarantees: what it has claimed is held when it ends; no more arguments are claimed than there is room for; a job that is asked for twice is claimed
 * for one of the deliveries. Must not know messages: what becomes of them is decided by who asked.
 */
import { Unavailable } from '#shared/base/errors.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Claim, SizedClaimant, TypedClaimant } from '#shared/postgres/statements/claim.ts';
import { claimJobs, reclaimJobs } from '#shared/postgres/statements/claim.ts';
import type { Standing } from '#shared/postgres/statements/read.ts';
import { findStandings } from '#shared/postgres/statements/read.ts';
import type { ArgsRoom } from './args-room.ts';
import { LARGE_ABOVE_BYTES } from './args-room.ts';
import type { HeldJobs } from './held-jobs.ts';
import type { Refusal } from './refusal.ts';
import { toRefusal } from './refusal.ts';

/** A job to claim. `hasRoom`: room for its arguments is taken already. */
export interface Wish {
  id: string;
  hasRoom: boolean;
}

/** What became of a wish to claim a job. */
export type ClaimResult = { kind: 'claimed'; claim: Claim } | Refusal;

/** `no-room`: the job could be had, but for the room that its arguments want. */
export type GroupClaimResult = ClaimResult | { kind: 'no-room'; wantsBytes: number };

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
  /** Told of every job that was claimed for its delivery. */
  onClaimed: (claim: Claim) => void;
}

export class GroupClaim {
  readonly #context: GroupClaimContext;
  readonly #claimant: TypedClaimant;
  /** By job. */
  readonly #results = new Map<string, GroupClaimResult>();

  constructor(context: GroupClaimContext, claimant: TypedClaimant) {
    this.#context = context;
    this.#claimant = claimant;
  }

  /** Once. Returns the results in the order of the wishes. Throws `Unavailable`. */
  async claim(wishes: readonly Wish[]): Promise<GroupClaimResult[]> {
    const { held } = this.#context;
    const askedAt = held.restorations;
    const { small } = this.#context.room;
    const results = this.#results;
    for (const { id } of wishes) if (held.has(id)) results.set(id, { kind: 'refused', reason: 'runs-here' });
    const wanted = wishes.filter(({ id }) => !results.has(id));
    const withRoom = new Set(wanted.filter(({ hasRoom }) => hasRoom).map(({ id }) => id));
    const unsized = new Set(wanted.map(({ id }) => id)).difference(withRoom);
    const reserved = small.takeUpTo(unsized.size * LARGE_ABOVE_BYTES);
    try {
      const maxArgsBytes = Math.floor(reserved / unsized.size);
      await this.#claimOf([...unsized], { ...this.#claimant, maxArgsBytes });
      await this.#claimOf([...withRoom], this.#claimant);
      held.hold(claimsIn(results.values()), askedAt);
    } finally {
      small.give(reserved);
    }
    return wishes.map(({ id }) => {
      const result = results.get(id) ?? { kind: 'refused', reason: 'twice' };
      if (result.kind === 'claimed') results.delete(id); // one delivery of several gets the claim
      return result;
    });
  }

  /** Claims those of the jobs that it can, and finds out about the others. */
  async #claimOf(ids: readonly string[], claimant: SizedClaimant): Promise<void> {
    if (ids.length === 0) return;
    const { database, onClaimed } = this.#context;
    for (const claim of await database.query((sql) => claimJobs(sql, ids, claimant))) {
      this.#results.set(claim.id, { kind: 'claimed', claim });
      onClaimed(claim);
    }
    const left = ids.filter((id) => !this.#results.has(id));
    if (left.length > 0) await this.#explain(left, claimant);
  }

  /** The rare cases: large, redelivered, duplicated, cancelled, paused or foreign; and a claim of ours whose answer was lost. */
  async #explain(ids: readonly string[], claimant: SizedClaimant): Promise<void> {
    const { database, held, types, isTakenOver, laneClaim } = this.#context;
    const standings = await database.query((sql) => findStandings(sql, ids));
    if (standings.some(({ state, areClaimsOpen }) => state === 'available' && !areClaimsOpen))
      throw new Unavailable(
        'claims_closed',
        'Postgres has crashed: nobody claims until the workers are back',
      );
    await laneClaim(); // what it has claimed before this look is held then, and not unheard
    const results = new Map<string, GroupClaimResult>(
      ids.map((id) => [id, { kind: 'refused', reason: 'unknown' }]),
    );
    const unheard: Standing[] = [];
    const { maxArgsBytes = Number.POSITIVE_INFINITY } = claimant;
    for (const standing of standings) {
      const { id, type, state, owner, argsBytes } = standing;
      const isMine = state === 'running' && owner === claimant.owner;
      const isUnheard = isMine && !held.has(id) && !isTakenOver(id);
      const isWanted = isUnheard || (state === 'available' && types.has(type));
      if (isWanted && argsBytes > maxArgsBytes) {
        results.set(id, { kind: 'no-room', wantsBytes: argsBytes });
        continue;
      }
      if (isUnheard) unheard.push(standing);
      results.set(id, isMine ? { kind: 'refused', reason: 'runs-here' } : toRefusal(standing, types));
    }
    if (unheard.length > 0) {
      for (const claim of await database.query((sql) => reclaimJobs(sql, unheard, claimant)))
        results.set(claim.id, { kind: 'claimed', claim });
    }
    for (const [id, result] of results) this.#results.set(id, result);
  }
}

/** The claims among the results. */
export function claimsIn(results: Iterable<GroupClaimResult>): Claim[] {
  const claims: Claim[] = [];
  for (const result of results) if (result.kind === 'claimed') claims.push(result.claim);
  return claims;
}
