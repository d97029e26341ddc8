/**
 * Takes running jobs over from an owner that has died, while their message is at hand. One statement each, for many jobs at once. Must not know
 * RabbitMQ.
 */
import type { Sql } from '../database.ts';
import type { Claim, TypedClaimant } from './claim.ts';
import type { AfterCrash } from './crash.ts';
import { changeAfterCrash } from './crash.ts';
import { argsBytes, bigints, claimColumns, hasType, isLockFree, mayStart } from './parts.ts';
import { mayById } from './states.ts';

/** What Postgres keeps of an `application_name`. */
const NAME_LENGTH = 63;

/** A running job whose owner may be dead. */
export interface Orphan {
  id: string;
  owner: string;
}

/** An orphan, with the length of its arguments as JSON text. */
export interface SizedOrphan extends Orphan {
  argsBytes: number;
}

/**
 * Those of the jobs that run under another owner than this one, and are of a type that it knows; not those with limits: a new start counts against the
 * rate, so they are left to the rescuer, and pass their gates again. By primary key.
 */
export async function findRunningElsewhere(
  sql: Sql,
  ids: readonly string[],
  { owner, types }: Pick<TypedClaimant, 'owner' | 'types'>,
): Promise<SizedOrphan[]> {
  return await sql<SizedOrphan[]>`
    select id, owner, ${argsBytes(sql)} as "argsBytes" from warren.jobs job
    where id = any(${bigints(ids)}::text::bigint[]) and ${mayById(sql, 'takeOver')} and owner <> ${owner}::text::bigint
      and ${hasType(sql, types)} and limits is null`;
}

export interface OwnerLook {
  isLockFree: boolean;
  /** Whether a session of its pool is open still; behind a pooler of connections, of somebody who had its name. */
  hasSessions: boolean;
  /** The name of its connections; empty where its row is gone. */
  name: string;
}

/** Whether the owner's advisory lock is free, and what else is left of it. It may be reconnecting: look twice. */
export async function lookAtOwner(sql: Sql, owner: string): Promise<OwnerLook> {
  const [row] = await sql<OwnerLook[]>`
    select ${isLockFree(sql)} as "isLockFree", coalesce(worker.name, '') as name,
      exists (select from pg_stat_activity session where session.application_name = left(worker.name, ${NAME_LENGTH})) as "hasSessions"
    from (select ${owner}::text::int as owner) as looked_at left join warren.workers worker using (owner)`;
  return row ?? { isLockFree: false, hasSessions: false, name: '' };
}

/**
 * Takes over running jobs of known types whose owner is one of those given and has died. The crash is noted as an error, and the lost attempt is charged if its
 * handler had started; one that was to be cancelled is cancelled, as its `state` says. A job that was in quarantine goes there again, uncharged.
 */
export async function takeOverJobs(
  sql: Sql,
  orphans: readonly Orphan[],
  { owner, claimNumber, types }: TypedClaimant,
): Promise<(Claim & { state: AfterCrash<'takeOver'> })[]> {
  const ids = orphans.map(({ id }) => id);
  const owners = [...new Set(orphans.map((orphan) => orphan.owner))];
  return await sql<(Claim & { state: AfterCrash<'takeOver'> })[]>`
    update warren.jobs job
    set ${changeAfterCrash(sql, 'takeOver')}, owner = ${owner}::text::bigint, claim_batch = ${claimNumber}, started_at = now()
    where id = any(${bigints(ids)}::text::bigint[]) and ${mayById(sql, 'takeOver')} and owner <> ${owner}::text::bigint
      and owner = any(${bigints(owners)}::text::bigint[]) -- it may have another one by now, who reconnects
      and ${hasType(sql, types)} and ${mayStart(sql)} and ${isLockFree(sql)}
    returning ${claimColumns(sql)}, state`;
}
