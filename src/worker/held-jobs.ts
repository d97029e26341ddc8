/**
 * The jobs that this process has claimed and not released, and what becomes of those claims when Postgres has crashed.
 *
 * Guarantees: the arguments of each are counted in the room from the claim to the release; a release counts once, and only for the claim that it names; a
 * claim that was asked for before the last restoration, which has not seen it, is not held: it is found again as one whose answer was lost.
 */
import { Unavailable } from '#shared/base/errors.ts';
import type { Sql } from '#shared/postgres/database.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { HeldClaim } from '#shared/postgres/statements/restore.ts';
import { restoreClaims } from '#shared/postgres/statements/restore.ts';
import type { ArgsRoom } from './args-room.ts';

/** What a restoration found, by job. `lost`: its claim is over, and cannot be had back. */
export interface Restoration {
  restored: string[];
  lost: string[];
}

export class HeldJobs {
  readonly #room: ArgsRoom;
  readonly #held = new Map<string, HeldClaim & Pick<Claim, 'argsBytes'>>();
  #restorations = 0;

  constructor(room: ArgsRoom) {
    this.#room = room;
  }

  get size(): number {
    return this.#held.size;
  }

  get ids(): string[] {
    return [...this.#held.keys()];
  }

  has(id: string): boolean {
    return this.#held.has(id);
  }

  /** How often all claims were restored. Read it before claims are asked for. */
  get restorations(): number {
    return this.#restorations;
  }

  /** Throws `Unavailable` where a restoration came between the question (`askedAt`, its `restorations`) and the answer. */
  hold(claims: readonly Claim[], askedAt = this.#restorations): void {
    if (askedAt !== this.#restorations && claims.length > 0)
      throw new Unavailable('claim_overtaken', 'the answer to a claim came after the presence was lost');
    for (const { id, fence, claimNumber, argsBytes } of claims) {
      this.#held.set(id, { id, fence, claimNumber, argsBytes });
      this.#room.count(argsBytes);
    }
  }

  release({ id, fence }: Pick<Claim, 'id' | 'fence'>): void {
    const held = this.#held.get(id);
    if (held?.fence !== fence) return;
    this.#held.delete(id);
    this.#room.give(held.argsBytes);
  }

  /** Restores every claim that a crash of Postgres has undone. `owners`: see `restoreClaims`. */
  async restoreAll(sql: Sql, owners: readonly string[]): Promise<Restoration> {
    this.#restorations += 1; // with the list, in one turn
    return await restore(sql, [...this.#held.values()], owners);
  }

  /** Restores the claims of these jobs, where they are held and a crash has undone them. */
  async restore(sql: Sql, ids: readonly string[], owners: readonly string[]): Promise<void> {
    const claims = ids.flatMap((id) => this.#held.get(id) ?? []);
    await restore(sql, claims, owners);
  }
}

async function restore(
  sql: Sql,
  claims: readonly HeldClaim[],
  owners: readonly string[],
): Promise<Restoration> {
  if (claims.length === 0) return { restored: [], lost: [] };
  const inForce = await restoreClaims(sql, claims, owners);
  const ids = new Set(inForce.map(({ id }) => id));
  return {
    restored: inForce.flatMap(({ id, isRestored }) => (isRestored ? [id] : [])),
    lost: claims.flatMap(({ id }) => (ids.has(id) ? [] : [id])),
  };
}
