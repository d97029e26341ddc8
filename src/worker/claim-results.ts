/**
 * What the claim of a group came to, for each of its deliveries. Pure.
 */
import { Unavailable } from '#shared/base/errors.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Refusal } from './refusal.ts';
import { mayStartAnother } from './refusal.ts';

/** What became of a wish to claim a job; by a permit, the claim may be of another job. */
export type ClaimResult = { kind: 'claimed'; claim: Claim } | Refusal;

/** `no-room`: the job could be had, but for the room that its arguments want. */
export type GroupClaimResult = ClaimResult | { kind: 'no-room'; wantsBytes: number };

/** The cause of an error that the claim of a group ended with: jobs of the group that nobody has. */
export class NotClaimed {
  readonly ids: ReadonlySet<string>;

  constructor(ids: Iterable<string>) {
    this.ids = new Set(ids);
  }
}

/** Whether the claim that ended with this error has surely not claimed the job. */
export function isNotClaimed(id: string, error: unknown): boolean {
  return error instanceof Unavailable && error.cause instanceof NotClaimed && error.cause.ids.has(id);
}

/** The claims among the results. */
export function claimsIn(results: Iterable<GroupClaimResult>): Claim[] {
  const claims: Claim[] = [];
  for (const result of results) if (result.kind === 'claimed') claims.push(result.claim);
  return claims;
}

/**
 * The results in the order of the deliveries. One delivery of several of a job gets its claim; the claims of `others`, jobs that no delivery here has
 * brought, go to those that were permits of them.
 */
export function assignClaims(
  deliveries: readonly { id: string }[],
  byJob: ReadonlyMap<string, GroupClaimResult>,
  others: readonly Claim[],
): GroupClaimResult[] {
  const given = new Set<string>();
  const results = deliveries.map(({ id }): GroupClaimResult => {
    const result = byJob.get(id);
    if (result === undefined || given.has(id)) return { kind: 'refused', reason: 'twice' };
    if (result.kind === 'claimed') given.add(id);
    return result;
  });
  const left = [...others];
  // Where a job has changed since its permit was counted, whichever delivery has no claim takes it: what is claimed must run.
  for (const mayTake of [mayStartAnother, ({ kind }: GroupClaimResult) => kind !== 'claimed']) {
    for (const [index, result] of results.entries()) {
      const claim = mayTake(result) ? left.shift() : undefined;
      if (claim !== undefined) results[index] = { kind: 'claimed', claim };
    }
  }
  return results;
}
