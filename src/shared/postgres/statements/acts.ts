/**
 * What people do to jobs, on one by its id or on many that match a filter: cancel, retry, run, delete; `edit.ts` changes them. One function and one
 * statement each.
 *
 * Guarantees: each job is acted on where its state allows it when its row is locked, or left as it is; a claim comes before the act or after it.
 * Must not know RabbitMQ.
 */
import type { JobState } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import { notifyCancel } from '../notices.ts';
import type { Fragment } from './parts.ts';
import { areClaimsOpen, FAST_PATH_MS } from './parts.ts';
import { change, gatesOf, may, mayById, stateAfter, waitAtFirstGate } from './states.ts';

/** The jobs that an act is for, as far as their states allow it. */
export interface ActScope {
  /** A condition on `warren.jobs`, its columns unqualified. */
  which: Fragment;
  /** What is locked is left alone, so that many rows are never waited for while others are held. Defaults to waiting. */
  skipsLocked?: boolean;
  /** How long the relay leaves what can run now to the caller, in milliseconds. Defaults to the time that a publisher needs. */
  relayAfterMs?: number;
}

/** A job after an act. */
export interface ActedJob {
  id: string;
  type: string;
  queue: string;
  state: JobState;
  fence: number;
  isUrgent: boolean;
  /** It can run from now on, and has no message yet. */
  startsAnew: boolean;
  /** Where it waits, if it is held. */
  gate: string | null;
  /** Its gates, those of its old queue too: where others may go on now. Null for a plain job. */
  gates: string[] | null;
}

export function byId(sql: Sql, id: string): ActScope {
  return { which: sql`id = ${id}::text::bigint` };
}

/** The select that locks the jobs which an act is for, in one order for all. */
export function lockedFor(
  sql: Sql,
  { which, skipsLocked = false }: ActScope,
  { condition, columns = sql`` }: { condition: Fragment; columns?: Fragment },
): Fragment {
  return sql`select id ${columns} from warren.jobs job where ${which} and ${condition} order by id for update ${skipsLocked ? sql`skip locked` : sql``}`;
}

export function relayAt(sql: Sql, { relayAfterMs = FAST_PATH_MS }: ActScope): Fragment {
  return sql`now() + ${relayAfterMs} * interval '1 ms'`;
}

export function actedColumns(sql: Sql): Fragment {
  return sql`job.id, type, job.queue, state, fence, priority > 0 as "isUrgent", case when state = ${stateAfter(sql, 'hold')} then held_for end as gate`;
}

function startsAnew(sql: Sql): Fragment {
  return sql`state = ${stateAfter(sql, 'enqueue')} as "startsAnew"`;
}

/** Cancels waiting jobs at once; asks the owners of running ones to. Ask again until they have let go. */
export async function cancelJobs(sql: Sql, scope: ActScope): Promise<ActedJob[]> {
  const locked = lockedFor(sql, scope, {
    condition: sql`(${mayById(sql, 'cancel')} or ${mayById(sql, 'askToCancel')})`,
  });
  return await sql<ActedJob[]>`
    with chosen as materialized (${locked})
    update warren.jobs job
    set state = case when ${may(sql, 'cancel')} then ${stateAfter(sql, 'cancel')} else state end,
      finished_at = case when ${may(sql, 'cancel')} then now() end,
      cancel_requested_at = coalesce(cancel_requested_at, now())
    from chosen where job.id = chosen.id
    returning ${actedColumns(sql)}, ${gatesOf(sql)} as gates, false as "startsAnew",
      case when ${may(sql, 'askToCancel')} then ${notifyCancel(sql)} end as told`;
}

/** Lets failed, cancelled or waiting-to-retry jobs run now, or wait at their gates, with at least one attempt left; with these arguments, where they are given. */
export async function retryJobs(sql: Sql, scope: ActScope, argsJson?: string): Promise<ActedJob[]> {
  return await sql<ActedJob[]>`
    with chosen as materialized (${lockedFor(sql, scope, { condition: mayById(sql, 'retry') })})
    update warren.jobs job
    set ${change(sql, 'retry')}, ${waitAtFirstGate(sql)}, ${newArguments(sql, argsJson)}, run_at = now(), finished_at = null,
      cancel_requested_at = null, expires_at = null, deadline_at = null, published_at = null, relay_at = ${relayAt(sql, scope)},
      max_attempts = greatest(max_attempts, attempt + 1)
    from chosen where job.id = chosen.id
    returning ${actedColumns(sql)}, ${gatesOf(sql)} as gates, ${startsAnew(sql)}`;
}

/** For a set list: the job's arguments and their length, where new ones are given. */
export function newArguments(sql: Sql, argsJson: string | undefined): Fragment {
  const given = sql`${argsJson ?? null}::text::jsonb`;
  return sql`args = coalesce(${given}, args), args_bytes = coalesce(octet_length(${given}::text), args_bytes)`;
}

/**
 * Lets jobs that wait for their time run now, or wait at their gates. The time over all attempts of one that has not started counts from now on; its
 * expiry, which may be a time that somebody has named, stays.
 */
export async function runJobs(sql: Sql, scope: ActScope): Promise<ActedJob[]> {
  return await sql<ActedJob[]>`
    with chosen as materialized (${lockedFor(sql, scope, { condition: mayById(sql, 'run') })})
    update warren.jobs job
    set ${change(sql, 'run')}, ${waitAtFirstGate(sql)}, run_at = now(), published_at = null, relay_at = ${relayAt(sql, scope)},
      deadline_at = case when started_at is null then deadline_at + (now() - run_at) else deadline_at end
    from chosen where job.id = chosen.id
    returning ${actedColumns(sql)}, ${gatesOf(sql)} as gates, ${startsAnew(sql)}`;
}

/**
 * Deletes jobs that do not run, and what was kept with them: the key that they hold for some time, and their places at gates, save for starts that a rate
 * has still to count (the next admission there does). None while a crash of Postgres may have undone a claim: its handler may run.
 */
export async function deleteJobs(sql: Sql, scope: ActScope): Promise<ActedJob[]> {
  return await sql<ActedJob[]>`
    with chosen as materialized (
      ${lockedFor(sql, scope, { condition: sql`${mayById(sql, 'delete')} and ${areClaimsOpen(sql)}` })}
    ),
    gone as (
      delete from warren.jobs job using chosen where job.id = chosen.id
      returning ${actedColumns(sql)}, ${gatesOf(sql)} as gates, started_at, period_key
    ),
    left_places as (
      delete from warren.passes pass using gone
      where pass.job_id = gone.id and pass.gate in (select jsonb_array_elements_text(gone.gates))
        and (pass.gate not like 'limit:%' or pass.started or gone.started_at is null or gone.fence <= pass.fence)
    ),
    left_keys as (
      delete from warren.unique_periods held using gone
      where held.type = gone.type and held.key = gone.period_key and held.job_id = gone.id
    )
    select id, type, queue, state, fence, "isUrgent", gate, gates, false as "startsAnew" from gone`;
}
