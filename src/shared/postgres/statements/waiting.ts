/**
 * What waits in a queue, as people ask for it: how much of it there is, against what the queue takes, and that all of it be cancelled. One statement
 * each, bounded.
 */
import type { JobState } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';
import { isTimed, stateAfter } from './states.ts';

/** A queue that takes a limited number of jobs. */
export interface LimitedQueue {
  queue: string;
  maxDepth: number;
  /** Jobs that could run, or that their gates hold. Those with a time to come are left out. */
  waiting: number;
}

/** Each queue that takes a limited number of jobs. */
export async function findLimitedQueues(sql: Sql): Promise<LimitedQueue[]> {
  return await sql<LimitedQueue[]>`
    select name as queue, max_depth as "maxDepth", coalesce((
      select sum(jobs) from warren.job_counts counted
      where counted.queue = limited.name and (state = 'available' or state = 'held')
    ), 0)::float8 as waiting
    from warren.queues limited where max_depth is not null`;
}

/** The latest job that there is; '0' where there is none. */
export async function findLatestId(sql: Sql): Promise<string> {
  const [row] = await sql<{ id: string }[]>`select coalesce(max(id), 0)::text as id from warren.jobs`;
  return row?.id ?? '0';
}

/** A job that was cancelled while it waited. */
export interface CancelledJob {
  id: string;
  type: string;
  queue: string;
  state: JobState;
}

/** What a job waits for, its time first: what comes due meanwhile is found among those that wait for a worker. */
export const waits = ['time', 'gate', 'worker'] as const;

/**
 * Cancels jobs of the queue that wait for this, up to this id, at most `limit` of them. What is locked is just being claimed or made available; it is left.
 * Indexes: jobs_due, jobs_held, jobs_available.
 */
export async function cancelWaitingJobs(
  sql: Sql,
  queue: string,
  { wait, upToId, limit }: { wait: (typeof waits)[number]; upToId: string; limit: number },
): Promise<CancelledJob[]> {
  const doesWait = { time: isTimed(sql), gate: sql`state = 'held'`, worker: sql`state = 'available'` }[wait];
  return await sql<CancelledJob[]>`
    with waiting as (
      select id from warren.jobs
      where ${doesWait} and queue = ${queue} and id <= ${upToId}::text::bigint
      limit ${limit} for update skip locked
    )
    ${cancelOfWaiting(sql)}`;
}

/** The update that cancels the jobs of the statement's term `waiting`, which has locked them, and returns `CancelledJob`s. */
export function cancelOfWaiting(sql: Sql): Fragment {
  return sql`update warren.jobs job
    set state = ${stateAfter(sql, 'cancel')}, finished_at = now(), cancel_requested_at = coalesce(cancel_requested_at, now())
    from waiting where job.id = waiting.id
    returning job.id, job.type, job.queue, job.state`;
}
