/**
 * What people and gauges ask about jobs. Reads only; nothing on the path of a job waits for them.
 */
import type { Job } from '../../job/job.ts';
import type { JobState } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import { progressOf } from './job-notes.ts';
import type { PermitScope } from './others-first.ts';
import { hasOthersFirst } from './others-first.ts';
import type { Fragment } from './parts.ts';
import { areClaimsOpen, argsBytes, bigints, mayStart, rareColumns } from './parts.ts';
import { isLive } from './states.ts';

/** The jobs with these ids, in no order; ids without a row are left out. */
export async function findJobs(sql: Sql, ids: readonly string[]): Promise<Job[]> {
  return await sql<Job[]>`
    select ${jobColumns(sql)}, ${progressOf(sql)}, substring(trace ->> 'traceparent' from '^00-([0-9a-f]{32})-') as "traceId"
    from warren.jobs where id = any(${bigints(ids)}::text::bigint[])`;
}

/** How far a job is. */
export interface Progress {
  id: string;
  state: JobState;
  attempt: number;
}

/** How far these jobs are, without what may be large; ids without a row are left out. */
export async function findProgress(sql: Sql, ids: readonly string[]): Promise<Progress[]> {
  return await sql<Progress[]>`
    select id, state, attempt from warren.jobs where id = any(${bigints(ids)}::text::bigint[])`;
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
  queue: string;
  state: JobState;
  owner: string | null;
  fence: number;
  argsBytes: number;
  /** Nobody may start it any more: see `mayStart`. Says nothing of a job that runs. */
  isLate: boolean;
  /** Whether anybody claims now: see `areClaimsOpen`. */
  areClaimsOpen: boolean;
  /** Whether the queue has jobs that go first. */
  hasOthersFirst: boolean;
}

/** Where these jobs stand; ids without a row are left out. `claimant`: whether others go first in its queue is looked up, too. */
export async function findStandings(
  sql: Sql,
  ids: readonly string[],
  claimant?: PermitScope,
): Promise<Standing[]> {
  return await sql<Standing[]>`
    select id, type, queue, state, owner, fence, ${argsBytes(sql)} as "argsBytes", not (${mayStart(sql)}) as "isLate",
      ${areClaimsOpen(sql)} as "areClaimsOpen",
      ${claimant === undefined ? sql`false` : hasOthersFirst(sql, claimant)} as "hasOthersFirst"
    from warren.jobs job
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

/** Counted so far: a gauge must not walk a backlog of millions. */
export const MAX_COUNTED = 100_000;

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

/** A relay that gets rid of its jobs has published them by then, in milliseconds. */
const OVERDUE_AFTER_MS = 5_000;
/** By then it has tried twice, in milliseconds. */
const REFUSED_AFTER_MS = 10_000;

/**
 * Available rows without a confirmed message that the relay should have published seconds ago, up to 100 000, without what waits for a worker or is of a
 * paused type. Those of the last moments are no sign of trouble: a mark comes 200 ms after its message. Index: jobs_unpublished.
 */
export async function countUnpublished(sql: Sql): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    select count(*)::float8 as count from (
      select queue, type from warren.jobs
      where state = 'available' and published_at is null
        and (relay_at <= now() - ${OVERDUE_AFTER_MS} * interval '1 ms' or ${isRefused(sql)})
      limit ${MAX_COUNTED}
    ) as unpublished
    where (queue, type) not in (select queue, type from warren.unserved_types)
      and type not in (select name from warren.job_types where paused)`;
  return row?.count ?? 0;
}

/**
 * Whether the broker takes no message of the job: the relay, which tries again and again, moves `relay_at` each time. Only of a plain job without a spent message,
 * which could have been published since it was due: what has waited at a gate or for a new message has not.
 */
function isRefused(sql: Sql): Fragment {
  return sql`(greatest(run_at, created_at) <= now() - ${REFUSED_AFTER_MS} * interval '1 ms' and fence = attempt
    and num_nonnulls(ordering_key, group_key, limits) = 0)`;
}

function jobColumns(sql: Sql): Fragment {
  return sql`id, type, queue, state, args, attempt, max_attempts as "maxAttempts", run_at as "runAt",
    created_at as "createdAt", started_at as "startedAt", finished_at as "finishedAt",
    ${rareColumns(sql)}, output, errors`;
}
