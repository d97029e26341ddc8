/**
 * Takes running jobs over from an owner that has died, while their message is at hand. One statement each, for many jobs at once. Must not know
 * RabbitMQ.
 */
import type { Sql } from './database.ts';
import type { Claim, Claimant } from './jobs.ts';
import {
  attemptCharge,
  bigints,
  claimColumns,
  crashCharge,
  finishedAfterCrash,
  isLockFree,
  stateAfterCrash,
  stateById,
  withCrash,
} from './statement-parts.ts';

/** Which of these running jobs have an owner whose advisory lock is free. It may be reconnecting: look twice. */
export async function findOrphans(sql: Sql, ids: readonly string[]): Promise<Set<string>> {
  const rows = await sql<{ id: string }[]>`
    select id from warren.jobs job
    where id = any(${bigints(ids)}::text::bigint[]) and ${stateById(sql)} = 'running' and ${isLockFree(sql)}`;
  return new Set(rows.map(({ id }) => id));
}

/**
 * Takes over running jobs whose owner has died. The crash is noted as an error, and the lost attempt is charged if its handler had started; one
 * that was to be cancelled is cancelled, as its `state` says. A job that was in quarantine goes there again, uncharged.
 */
export async function takeOverJobs(
  sql: Sql,
  ids: readonly string[],
  { owner, batch }: Claimant,
): Promise<(Claim & { state: 'running' | 'cancelled' })[]> {
  return await sql<(Claim & { state: 'running' | 'cancelled' })[]>`
    update warren.jobs job
    set state = ${stateAfterCrash(sql, 'running')}, finished_at = ${finishedAfterCrash(sql)},
      attempt = attempt - case when cancel_requested_at is null then 0 else 1 end + ${attemptCharge(sql)},
      max_attempts = max_attempts + ${attemptCharge(sql)}, crashes = crashes + ${crashCharge(sql)}, errors = ${withCrash(sql)},
      fence = fence + 1, owner = ${owner}::text::bigint, claim_batch = ${batch}, started_at = now()
    where id = any(${bigints(ids)}::text::bigint[]) and ${stateById(sql)} = 'running' and owner <> ${owner}::text::bigint
      and ${isLockFree(sql)}
    returning ${claimColumns(sql)}, state`;
}
