/**
 * What a crash of Postgres does to claims, which are committed without waiting for the disk: those of the last moment may be undone while their
 * handlers run. Nobody claims after a crash until the workers have had the time to restore what they hold (`areClaimsOpen`).
 *
 * Guarantees: a claim is restored under its own fence, and only where nothing has happened to the job since; a claim that was not undone stays as it is.
 */
import type { Sql } from '../database.ts';
import type { Claim } from './claim.ts';
import { bigints } from './parts.ts';
import { change, mayById } from './states.ts';

export type HeldClaim = Pick<Claim, 'id' | 'fence' | 'claimNumber'>;

/** A claim that is in force. `isRestored`: it was undone, and is made again. */
export interface ClaimInForce {
  id: string;
  isRestored: boolean;
}

/**
 * Restores those of the claims that were undone. Returns those that are in force then; the others are over: another holds the job, or it is cancelled.
 * `owners`: all numbers that the worker has had, its present one last. What names an earlier one names that then: the statement that moved its jobs may
 * have failed, or have been undone. `published_at` is left as it is: a message too many does no harm.
 */
export async function restoreClaims(
  sql: Sql,
  claims: readonly HeldClaim[],
  owners: readonly string[],
): Promise<ClaimInForce[]> {
  const rows = JSON.stringify(claims.map(({ id, fence, claimNumber }) => ({ id, held: fence, claimNumber })));
  const owner = owners.at(-1) ?? '0';
  const isGiven = sql`job.id = any(${bigints(claims.map(({ id }) => id))}::text::bigint[]) and job.id = given.id`;
  const isInForce = sql`${isGiven} and ${mayById(sql, 'complete')} and job.fence = given.held
      and job.owner = any(${bigints(owners)}::text::bigint[])`;
  return await sql<ClaimInForce[]>`
    with given as (
      select * from jsonb_to_recordset(${rows}::text::jsonb) as g(id bigint, held int, "claimNumber" int)
    ),
    restored as (
      update warren.jobs job
      set ${change(sql, 'restore')}, owner = ${owner}::text::bigint, claim_batch = given."claimNumber", started_at = now()
      from given
      where ${isGiven} and ${mayById(sql, 'restore')} and job.fence = given.held - 1
      returning job.id
    ),
    moved as (
      update warren.jobs job set owner = ${owner}::text::bigint
      from given
      where ${isInForce} and job.owner <> ${owner}::text::bigint
    )
    select id, true as "isRestored" from restored
    union all
    select job.id, false from warren.jobs job, given where ${isInForce}`;
}
