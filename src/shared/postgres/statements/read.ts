/**
 * What people and gauges ask about jobs. Reads only; nothing on the path of a job waits for them.
 */
import type { Job } from '../../job/job.ts';
import type { JobState } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';
import { areClaimsOpen, argsBytes, bigints } from './parts.ts';
import { isLive, isTimed } from './states.ts';

/** The jobs with these ids, in no order; ids without a row are left out. */
export async function findJobs(sql: Sql, ids: readonly string[]): Promise<Job[]> {
  return await sql<Job[]>`
    select ${jobColumns(sql)} from warren.jobs where id = any(${bigints(ids)}::text::bigint[])`;
}

/** The live job that holds the unique key, if one does. Index: jobs_unique. */
export async function findUniqueJob(sql: Sql, type: string, uniqueKey: string): Promise<Job | undefined> {
  const [job] = await sql<Job[]>`
    select ${jobColumns(sql)} from warren.jobs
    where type = ${type} and unique_key = ${uniqueKey} and ${isLive(sql)}`;
  return job;
}

/** Where a job stands, for a delivery that could not claim it. */
export interface Standing {
  id: string;
  type: string;
  state: JobState;
  owner: string | null;
  fence: number;
  argsBytes: number;
  /** Whether anybody claims now: see `areClaimsOpen`. */
  areClaimsOpen: boolean;
}

/** Where these jobs stand; ids without a row are left out. */
export async function findStandings(sql: Sql, ids: readonly string[]): Promise<Standing[]> {
  return await sql<Standing[]>`
    select id, type, state, owner, fence, ${argsBytes(sql)} as "argsBytes", ${areClaimsOpen(sql)} as "areClaimsOpen" from warren.jobs job
    where id = any(${bigints(ids)}::text::bigint[])`;
}

export interface IdempotencyRecord {
  fingerprint: string;
  jobIds: string[];
}

/** What an idempotency key stands for. */
export async function findIdempotencyKey(sql: Sql, key: string): Promise<IdempotencyRecord | undefined> {
  const [record] = await sql<IdempotencyRecord[]>`
    select fingerprint, array_to_json(job_ids::text[]) as "jobIds" from warren.idempotency_keys where key = ${key}`;
  return record;
}

/** Corrects the jobs that an idempotency key stands for. */
export async function replaceIdempotentJobs(sql: Sql, key: string, ids: readonly string[]): Promise<void> {
  await sql`
    update warren.idempotency_keys set job_ids = ${bigints(ids)}::text::bigint[] where key = ${key}`;
}

/** Forgets an idempotency key that stands for these jobs. */
export async function forgetIdempotencyKey(sql: Sql, key: string, ids: readonly string[]): Promise<void> {
  await sql`
    delete from warren.idempotency_keys where key = ${key} and job_ids = ${bigints(ids)}::text::bigint[]`;
}

/** So many jobs of a queue are in this state. */
export interface QueueCount {
  queue: string;
  state: JobState;
  count: number;
}

/** Counts by queue and state. Reads the whole table: for people, not for gauges. */
export async function countJobs(sql: Sql): Promise<QueueCount[]> {
  return await sql<QueueCount[]>`
    select queue, state, count(*)::float8 as count from warren.jobs group by queue, state`;
}

/** Counted so far: a gauge must not walk a backlog of millions. */
export const MAX_COUNTED = 100_000;

/**
 * Counts the jobs that have not ended by queue and state, each up to 100 000; those that have ended are left alone, whatever their number. Indexes:
 * jobs_available, jobs_running, jobs_due.
 */
export async function countLiveJobs(sql: Sql, queues: readonly string[]): Promise<QueueCount[]> {
  return await sql<QueueCount[]>`
    with available as (
      select name as queue, 'available' as state
      from jsonb_array_elements_text(${JSON.stringify(queues)}::text::jsonb) as name, lateral (
        select from warren.jobs where state = 'available' and queue = name limit ${MAX_COUNTED}
      ) as job
    ),
    running as (
      select queue, state from warren.jobs where state = 'running' limit ${MAX_COUNTED}
    ),
    due_later as (
      select queue, state from warren.jobs where ${isTimed(sql)} limit ${MAX_COUNTED}
    )
    select queue, state, count(*)::float8 as count
    from (select * from available union all select * from running union all select * from due_later) as live
    group by queue, state`;
}

export interface QueueAge {
  queue: string;
  oldestAvailableSeconds: number;
}

/** How long the oldest available job of each queue has been waiting; queues without one are left out. Index: jobs_available. */
export async function findQueueAges(sql: Sql, queues: readonly string[]): Promise<QueueAge[]> {
  return await sql<QueueAge[]>`
    select queue, extract(epoch from now() - run_at)::float8 as "oldestAvailableSeconds"
    from jsonb_array_elements_text(${JSON.stringify(queues)}::text::jsonb) as name, lateral (
      select queue, run_at from warren.jobs where state = 'available' and queue = name order by run_at limit 1
    ) as oldest`;
}

/** Rows that are available and whose message the broker has not confirmed, of the first 100 000, without what waits for a worker. Index: jobs_unpublished. */
export async function countUnpublished(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::float8 as count from (
      select queue, type from warren.jobs where state = 'available' and published_at is null limit ${MAX_COUNTED}
    ) as unpublished
    where (queue, type) not in (select queue, type from warren.unserved_types)`;
  return row?.count ?? 0;
}

function jobColumns(sql: Sql): Fragment {
  return sql`id, type, queue, state, args, attempt, max_attempts as "maxAttempts", run_at as "runAt",
    created_at as "createdAt", started_at as "startedAt", finished_at as "finishedAt", unique_key as "uniqueKey",
    output, errors`;
}
