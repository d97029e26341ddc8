/**
 * Parts that several statements on `warren.jobs` share. Pure: they build SQL, they run nothing.
 */
import type { Sql } from '../database.ts';

export type Fragment = ReturnType<Sql>;

/** First key of the two-key advisory locks; the second is the owner number, from 1. */
export const ADVISORY_CLASS = 0x7761_7272; // "warr"

/** How long the relay leaves a row to the process that made it available, in milliseconds. */
export const FAST_PATH_MS = 2_000;
/** And how much longer for each job that is inserted together with it: many jobs take their time to publish, more so where the broker is busy. */
export const FAST_PATH_PER_JOB_MS = 0.5;
/** A job whose worker has died that often while it held it is run in quarantine. If it crashes there, it is discarded: nobody else can have done it. */
export const QUARANTINED_FROM = 2;
/** A worker without a beat for that long has lost its jobs. Longer than any event loop should be blocked, in milliseconds. */
const SILENT_MS = 60_000;
/** A worker without a beat for that long is sent no jobs by the relay, in milliseconds. */
const SERVES_MS = 10_000;
/** What workers may need to come back after a restart of Postgres, in milliseconds. */
export const RETURN_MS = 5_000;
/** Errors kept of one job, the newest. */
const MAX_ERRORS = 100;

/** An array literal of ids. Ids are digits, checked where they enter the system. */
export function bigints(ids: readonly string[]): string {
  return `{${ids.join(',')}}`;
}

/** An array literal of texts, whatever is in them. */
export function texts(values: readonly string[]): string {
  return `{${values.map((value) => `"${value.replaceAll(/["\\]/g, '\\$&')}"`).join(',')}}`;
}

/** True for jobs of these types (a literal of `texts`), which Postgres reads once for a statement. */
export function hasType(sql: Sql, types: string): Fragment {
  return sql`type = any((select ${types}::text::text[])::text[])`;
}

/** True for jobs whose type nobody has paused, a list that Postgres reads once for a statement. */
export function hasRunningType(sql: Sql): Fragment {
  return sql`type <> all (array(select name from warren.job_types where paused))`;
}

/** True for jobs that have not expired before their first start, and whose time over all attempts has not run out. */
export function mayStart(sql: Sql): Fragment {
  return sql`(job.expires_at is null or job.expires_at > now() or job.started_at is not null) and (job.deadline_at is null or job.deadline_at > now())`;
}

/** Of a row of `warren.workers`: whether it counts as a living worker where jobs are given out. */
export function isBeating(sql: Sql): Fragment {
  return sql`beat_at > now() - ${SERVES_MS} * interval '1 ms'`;
}

/** Whether somebody holds the lock of this owner: its process has its session with Postgres. Looked up in a list, so that no lock is taken. */
export function isPresent(sql: Sql, owner: Fragment): Fragment {
  return sql`exists (
    select from pg_locks held where held.locktype = 'advisory' and held.granted and held.objsubid = 2
      and held.classid = ${ADVISORY_CLASS}::int::oid and held.objid = ${owner}::oid
      and held.database = (select oid from pg_database where datname = current_database()))`;
}

/** What living workers have told that they run: `queue` and `type`, each pair once. A worker that has not beaten for four beats counts as gone. */
export function servedTypes(sql: Sql): Fragment {
  return sql`(
    select distinct queue, type
    from (
      select distinct queues, types from warren.workers where ${isBeating(sql)}
    ) as fleet, unnest(queues) as queue, unnest(types) as type
  )`;
}

/** True while a worker lives that has not told what it runs: one of an earlier version, which may run everything. */
export function mayServeAll(sql: Sql): Fragment {
  return sql`exists (
    select from warren.workers where ${isBeating(sql)} and queues = '{}' and types = '{}'
  )`;
}

/**
 * A term for `with recursive`: `unpublished`, the pairs of `queue` and `type` that wait for the relay, each once, where the condition is true. Goes from
 * one to the next by index, whatever waits of each. Anybody can write any type into a row: take a bounded number. Index: jobs_unpublished.
 */
export function unpublishedTypes(sql: Sql, condition: Fragment): Fragment {
  return sql`unpublished as (
    (
      select queue, type from warren.jobs where state = 'available' and published_at is null and ${condition}
      order by queue, type limit 1
    )
    union all
    select next.queue, next.type from unpublished, lateral (
      select queue, type from warren.jobs job
      where state = 'available' and published_at is null and (job.queue, job.type) > (unpublished.queue, unpublished.type)
      order by queue, type limit 1
    ) as next
  )`;
}

/** True where the owner's advisory lock is free, and owners have had the time to take theirs again after a restart of Postgres. */
export function isLockFree(sql: Sql): Fragment {
  return sql`(pg_try_advisory_xact_lock_shared(${ADVISORY_CLASS}::int, owner::int) and ${hasReturned(sql)})`;
}

/** True where the owner's last beat is too old: it is frozen, or cut off. */
export function hasStoppedBeating(sql: Sql): Fragment {
  return sql`(owner in (select worker.owner from warren.workers worker
    where worker.beat_at < now() - ${SILENT_MS} * interval '1 ms') and ${hasReturned(sql)})`;
}

function hasReturned(sql: Sql): Fragment {
  return sql`(pg_postmaster_start_time() < now() - ${RETURN_MS} * interval '1 ms' and ${areClaimsOpen(sql)})`;
}

/**
 * False after a crash of Postgres, until its workers have had the time to return: a claim that the crash has undone can be restored as long as nobody
 * claims the job and nothing raises its fence.
 */
export function areClaimsOpen(sql: Sql): Fragment {
  return sql`exists (select from warren.claims_open)`;
}

/** The same for a claiming statement, whose commit then does not wait for the disk: see restore.ts. Evaluated once, before any row is looked at. */
export function mayClaimAtOnce(sql: Sql): Fragment {
  return sql`(select set_config('synchronous_commit', 'off', true) from warren.claims_open) is not null`;
}

/** The length of a job's arguments as JSON text. The column is empty in rows that an earlier version inserted. */
export function argsBytes(sql: Sql): Fragment {
  return sql`coalesce(job.args_bytes, octet_length(job.args::text))`;
}

/** What a claim returns of its job. */
export function claimColumns(sql: Sql): Fragment {
  return sql`job.id, type, queue, args, ${argsBytes(sql)} as "argsBytes", attempt, max_attempts as "maxAttempts", fence,
    claim_batch as "claimNumber", crashes, trace, extract(epoch from now() - run_at)::float8 * 1000 as "waitMs",
    extract(epoch from run_at)::float8 as "dueAt", extract(epoch from deadline_at - now())::float8 * 1000 as "leftMs",
    coalesce(batch_id, callback_of) as "batchId"`;
}

/** What most jobs have none of, as a `Job` has it. */
export function rareColumns(sql: Sql): Fragment {
  return sql`coalesce(unique_key, waiting_key, period_key) as "uniqueKey", priority::int as priority, group_key as "group",
    ordering_key as "orderingKey", coalesce(to_jsonb(tags), '[]') as tags, coalesce(to_jsonb(limits), '[]') as limits,
    expires_at as "expiresAt", batch_id as batch`;
}

/** The job's history with one more error, the oldest dropped where there are too many. `origin`: its `stack` and `causes`, or null. */
export function withError(sql: Sql, message: Fragment, origin?: Fragment): Fragment {
  return sql`(case when jsonb_array_length(errors) >= ${MAX_ERRORS} then errors - 0 else errors end)
    || (jsonb_build_object('attempt', attempt, 'at', now(), 'message', ${message})
      ${origin === undefined ? sql`` : sql`|| coalesce(${origin}, '{}')`})`;
}
