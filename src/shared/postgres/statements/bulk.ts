/**
 * An act on many jobs, in steps: who is next, the act itself, and how far it has come, which stands in the row of the job that does it.
 *
 * Guarantees: every statement is bounded; how far it has come is written in the transaction of what was done, and only by the attempt that holds the
 * job, so that nothing is done twice or counted twice, whoever is killed.
 */
import type { SearchFilter } from '../../job/job-filter.ts';
import type { PersonsAct } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import type { ActedJob, ActScope } from './acts.ts';
import { cancelJobs, deleteJobs, retryJobs, runJobs } from './acts.ts';
import { holdAdmission } from './admit.ts';
import type { JobChanges } from './edit.ts';
import { editJobs } from './edit.ts';
import { matches } from './job-filter.ts';
import type { Fragment } from './parts.ts';
import { bigints } from './parts.ts';
import type { SealedJob, Sealing } from './reencrypt.ts';
import { isOutdated } from './reencrypt.ts';
import { mayById } from './states.ts';

/** Jobs that one look goes over; fewer where their arguments must be read. */
const LOOKED_AT = 2_000;
const READ = 200;

export interface PersonsManyAct {
  action: PersonsAct;
  filter: SearchFilter;
  /** What an edit changes. */
  set?: JobChanges | undefined;
}

export interface Reencryption {
  action: 'reencrypt';
  filter: SearchFilter;
  sealing: Sealing;
}

export type ManyAct = PersonsManyAct | Reencryption;

/** Jobs that the act can be done to, by their states and, for an edit, by the attempts that they have made; to be encrypted anew, in any state. */
function mayAct(sql: Sql, act: ManyAct): Fragment {
  if (act.action === 'reencrypt') return isOutdated(sql, act.sealing);
  const { action, set } = act;
  if (action === 'cancel')
    return sql`(${mayById(sql, 'cancel')} or (${mayById(sql, 'askToCancel')} and cancel_requested_at is null))`;
  if (action === 'edit')
    return sql`${mayById(sql, 'edit')} and coalesce(${set?.maxAttempts ?? null}::int > attempt, true)`;
  return mayById(sql, action);
}

/** How many jobs match and can be acted on. May read the whole table. */
export async function countForAct(sql: Sql, act: ManyAct): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::float8 as count from warren.jobs job where ${matches(sql, act.filter)} and ${mayAct(sql, act)}`;
  return row?.count ?? 0;
}

/** How far it has come. `done`: the jobs that were acted on. */
export interface BulkProgress {
  /** The last id that was looked at. */
  cursor: string;
  done: number;
  /** Looked at, and still to be acted on. */
  left: readonly string[];
}

/** Where to go on, and the first id of the table. The output of the job is what an earlier attempt has left there. */
export async function findProgress(sql: Sql, jobId: string): Promise<BulkProgress & { firstId: string }> {
  const [row] = await sql<(BulkProgress & { firstId: string })[]>`
    select coalesce(output ->> 'cursor', '0') as cursor, coalesce((output ->> 'done')::float8, 0) as done, coalesce(output -> 'left', '[]') as left,
      (select coalesce(min(id), 0) from warren.jobs)::text as "firstId"
    from warren.jobs where id = ${jobId}::text::bigint`;
  return row ?? { cursor: '0', done: 0, left: [], firstId: '0' };
}

/** Of the next jobs, those that match and can be acted on, in the order of their ids. */
export interface NextJobs {
  ids: string[];
  /** The last id that was looked at; null at the end. */
  last: string | null;
}

/** A step of the walk along the primary key, whatever else there is an index for: it takes the same time wherever it is. */
export async function findNext(
  sql: Sql,
  act: ManyAct,
  { after, upToId, limit }: { after: string; upToId: string; limit: number },
): Promise<NextJobs> {
  const lookedAt = act.filter.q === undefined ? LOOKED_AT : READ;
  const [row] = await sql<NextJobs[]>`
    with job as materialized (
      select * from warren.jobs where id > ${after}::text::bigint and id <= ${upToId}::text::bigint order by id limit ${lookedAt}
    ),
    matched as (
      select id from job where ${matches(sql, act.filter)} and ${mayAct(sql, act)} order by id limit ${limit}
    )
    select (select coalesce(jsonb_agg(id::text order by id), '[]') from matched) as ids,
      case when (select count(*) from matched) = ${limit} then (select max(id) from matched) else (select max(id) from job) end::text as last`;
  return row ?? { ids: [], last: null };
}

export interface Chosen {
  ids: readonly string[];
  /** What is locked is left out, and not waited for. */
  skipsLocked: boolean;
}

/** Acts on those of the jobs that match still. Within a transaction. */
export async function actOn(
  sql: Sql,
  { action, filter, set = {} }: PersonsManyAct,
  { ids, skipsLocked }: Chosen,
): Promise<ActedJob[]> {
  const which: Fragment = sql`id = any(${bigints(ids)}::text::bigint[]) and ${matches(sql, filter)}`;
  const scope: ActScope = { which, skipsLocked, relayAfterMs: 0 };
  if (action === 'cancel') return await cancelJobs(sql, scope);
  if (action === 'retry') return await retryJobs(sql, scope);
  if (action === 'run') return await runJobs(sql, scope);
  if (action === 'delete') return await deleteJobs(sql, scope);
  if (set.queue !== undefined) await holdAdmission(sql);
  return await editJobs(sql, scope, set);
}

/** Those of the jobs that match still and are outdated, locked. Within a transaction. */
export async function lockOutdated(
  sql: Sql,
  act: Reencryption,
  { ids, skipsLocked }: Chosen,
): Promise<SealedJob[]> {
  return await sql<SealedJob[]>`
    select id, type, args, output from warren.jobs job
    where id = any(${bigints(ids)}::text::bigint[]) and ${matches(sql, act.filter)} and ${mayAct(sql, act)}
    order by id for update ${skipsLocked ? sql`skip locked` : sql``}`;
}

/** Notes how far it has come. False where the attempt has lost its claim: what its transaction has done must be undone. */
export async function noteProgress(
  sql: Sql,
  { jobId, fence }: { jobId: string; fence: number },
  { cursor, done, left }: BulkProgress,
): Promise<boolean> {
  const { count } = await sql`
    update warren.jobs job set output = jsonb_build_object('cursor', ${cursor}::text, 'done', ${done}::float8, 'left', ${JSON.stringify(left)}::text::jsonb)
    where id = ${jobId}::text::bigint and fence = ${fence} and ${mayById(sql, 'complete')}`;
  return count > 0;
}
