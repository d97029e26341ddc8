/**
 * The changes of state that the maintenance makes: what is due, what is unpublished, what its owner left behind. One function per change, one
 * statement each, bounded by a limit where rows are many.
 */

import type { Publishable } from '../../job/publishable.ts';
import type { Trace } from '../../job/trace.ts';
import type { Sql } from '../database.ts';
import type { AfterCrash } from './crash.ts';
import { changeAfterCrash } from './crash.ts';
import type { Fragment } from './parts.ts';
import {
  areClaimsOpen,
  bigints,
  FAST_PATH_MS,
  hasRunningType,
  hasStoppedBeating,
  isLockFree,
  mayServeAll,
  servedTypes,
  unpublishedTypes,
} from './parts.ts';
import { change, gatesOf, may, stateAfter, waitAtFirstGate } from './states.ts';

/** How long a row belongs to the process that publishes it for the relay, in milliseconds. */
const RESERVED_MS = 5_000;
/** Pairs of a queue and a type that are looked at while all may be served. */
const MAX_TYPES = 1_000;
/** A message may be overtaken by a little: several consumers, a requeue. In milliseconds. */
const OVERTAKEN_BY_MS = 10_000;
/** A message that is neither ready nor claimed after that long is lost, in milliseconds. */
const UNDELIVERED_AFTER_MS = 5_000;
/** The most that a message is given before it counts as lost, in milliseconds. */
const LOST_AFTER_AT_MOST_MS = 60_000;

/** A job whose time has come. `gate`: it is held there, and not to be published; null: it is available. */
export interface Promoted extends Publishable {
  gate: string | null;
}

/**
 * Makes due jobs available, or has them wait at their gates. The former are the caller's to publish, and the relay's should the caller die; with `byRelay` the relay's at once. Index:
 * jobs_due.
 */
export async function promoteDueJobs(sql: Sql, limit: number, { byRelay = false } = {}): Promise<Promoted[]> {
  return await sql<Promoted[]>`
    with due as (
      select id from warren.jobs where ${may(sql, 'promote')} and run_at <= now()
      order by run_at limit ${limit} for update skip locked
    )
    update warren.jobs job set ${change(sql, 'promote')}, ${waitAtFirstGate(sql)},
      relay_at = now() + ${byRelay ? 0 : FAST_PATH_MS} * interval '1 ms'
    from due where job.id = due.id
    returning job.id, type, queue, fence, case when state = ${stateAfter(sql, 'hold')} then held_for end as gate`;
}

/** Milliseconds until the next job comes due; null where none is waiting for its time. Index: jobs_due. */
export async function nextDueMs(sql: Sql): Promise<number | null> {
  const [row] = await sql<{ ms: number | null }[]>`
    select extract(epoch from run_at - clock_timestamp())::float8 * 1000 as ms from warren.jobs
    where ${may(sql, 'promote')} order by run_at limit 1`;
  return row?.ms ?? null;
}

/**
 * Takes unpublished jobs that a living worker runs and whose type is not paused, to publish them; they are the caller's for some seconds. The others wait, untouched. While a
 * worker lives that has not told what it runs, that is all of them. Index: jobs_unpublished, once for each type and queue; in an order of chance, so
 * that none waits behind another's backlog for ever.
 */
export async function reserveUnpublishedJobs(sql: Sql, limit: number): Promise<Publishable[]> {
  return await sql<Publishable[]>`
    with recursive ${unpublishedTypes(sql, mayServeAll(sql))},
    served as materialized (
      select queue, type from (
        select queue, type from ${servedTypes(sql)} as told
        union
        (select queue, type from unpublished limit ${MAX_TYPES})
      ) as served
      where ${hasRunningType(sql)} -- whose messages would only be spent
      order by random()
    ),
    reserved as (
      select job.id from served, lateral (
        select id from warren.jobs
        where state = 'available' and published_at is null and queue = served.queue and type = served.type and relay_at <= now()
        order by relay_at limit ${limit} for update skip locked
      ) as job
      limit ${limit}
    )
    update warren.jobs job set relay_at = now() + ${RESERVED_MS} * interval '1 ms'
    from reserved where job.id = reserved.id
    returning job.id, type, queue, fence`;
}

/** An owner of running jobs that shows no life. `isLockFree` false: it holds its lock, but has not beaten for a minute. */
export interface SilentOwner {
  owner: string;
  /** The name of its connections; empty where its row is gone. */
  name: string;
  isLockFree: boolean;
}

/** The owners of running jobs that show no life. They may be reconnecting, or beat late: look again before you act. Index: jobs_running. */
export async function findSilentOwners(sql: Sql): Promise<SilentOwner[]> {
  return await sql<SilentOwner[]>`
    with recursive owners as (
      (select owner from warren.jobs where state = 'running' order by owner limit 1)
      union all
      select (select job.owner from warren.jobs job where state = 'running' and job.owner > owners.owner
        order by job.owner limit 1)
      from owners where owners.owner is not null
    ),
    seen as (
      select owner, ${isLockFree(sql)} as "isLockFree", ${hasStoppedBeating(sql)} as "hasStoppedBeating"
      from owners where owner is not null
    )
    select owner, "isLockFree", coalesce((select name from warren.workers worker where worker.owner = seen.owner), '') as name
    from seen where "isLockFree" or "hasStoppedBeating"`;
}

/** A running job that was given back; `cancelled` where that had been asked for. */
export interface RescuedJob {
  id: string;
  type: string;
  queue: string;
  /** Of the dead worker. */
  owner: string;
  state: AfterCrash<'rescue'>;
  trace: Trace | null;
  /** Where others may go on now, or the job itself; null for a plain job. */
  gates: string[] | null;
}

/** Gives the running jobs of dead owners back to the relay, the crash noted; the lost attempt is charged if its handler had started. */
export async function rescueJobs(sql: Sql, owners: readonly string[], limit: number): Promise<RescuedJob[]> {
  return await sql<RescuedJob[]>`
    with orphans as (
      select id from warren.jobs
      where ${may(sql, 'rescue')} and owner = any(${bigints(owners)}::text::bigint[])
      limit ${limit} for update skip locked
    )
    update warren.jobs job
    set ${changeAfterCrash(sql, 'rescue')}, ${waitAtFirstGate(sql)}, published_at = null, relay_at = now()
    from orphans where job.id = orphans.id and (${isLockFree(sql)} or ${hasStoppedBeating(sql)})
    returning job.id, owner, type, queue, state, trace - 'baggage' as trace, ${gatesOf(sql)} as gates`;
}

/**
 * Leaves to the relay the published jobs whose message was overtaken by ten seconds, or by more where that was so before: one that was published
 * later has been delivered, to whichever worker. Returns how many, at most `limit` of a queue. Index: jobs_available.
 */
export async function unpublishOvertakenJobs(sql: Sql, limit: number): Promise<number> {
  const { count } = await sql`
    with watermarks as (
      select queue, to_timestamp(max(due_at::float8)) as passed
      from warren.workers, jsonb_each_text(delivered) as given(queue, due_at)
      where due_at::float8 <= extract(epoch from now()) -- the clock may have been set back
      group by queue
    ),
    overtaken as (
      select job.id
      from watermarks, lateral (
        select id from warren.jobs
        where state = 'available' and queue = watermarks.queue and run_at < passed
          and published_at < passed - ${lostAfter(sql, OVERTAKEN_BY_MS)}
        order by run_at limit ${limit} for update skip locked
      ) as job
    )
    update warren.jobs job set ${leaveToRelay(sql)} from overtaken where job.id = overtaken.id and ${areClaimsOpen(sql)}`;
  return count;
}

/**
 * Leaves to the relay the jobs of these (empty) queues that were published five seconds ago, or longer where that was so before. Returns how many.
 * Index: jobs_available.
 */
export async function unpublishUndeliveredJobs(
  sql: Sql,
  queues: readonly string[],
  limit: number,
): Promise<number> {
  const { count } = await sql`
    with undelivered as (
      select id from warren.jobs
      where state = 'available' and queue in (select jsonb_array_elements_text(${JSON.stringify(queues)}::text::jsonb))
        and published_at < now() - ${lostAfter(sql, UNDELIVERED_AFTER_MS)}
      limit ${limit} for update skip locked
    )
    update warren.jobs job set ${leaveToRelay(sql)} from undelivered where job.id = undelivered.id and ${areClaimsOpen(sql)}`;
  return count;
}

/**
 * So long after its mark the message of a job counts as lost: the first time after `firstMs`, then twice as long for each message beyond those that
 * charged attempts have used. For it may not be lost: a worker that holds it and waits for room looks the same. Snoozes and hand-backs charge no
 * attempt and count as such messages too: the lost message of a job that had some is found later, by a minute at most.
 */
function lostAfter(sql: Sql, firstMs: number): Fragment {
  return sql`least(${LOST_AFTER_AT_MOST_MS}, ${firstMs} * 2 ^ least(fence - attempt, 16)) * interval '1 ms'`;
}

/** The fence rises, so that a late mark of the message that seems lost does not hide the job from the relay, and so that `lostAfter` grows: only while claims are open. */
function leaveToRelay(sql: Sql): Fragment {
  return sql`published_at = null, relay_at = now(), fence = fence + 1`;
}

/** Leaves every available job to the relay: the broker was replaced. Returns how many, at most `limit`. Index: jobs_available. */
export async function unpublishJobs(sql: Sql, limit: number): Promise<number> {
  const { count } = await sql`
    with published as (
      select id from warren.jobs where state = 'available' and published_at is not null limit ${limit} for update skip locked
    )
    update warren.jobs job set published_at = null, relay_at = now() from published where job.id = published.id`;
  return count;
}
