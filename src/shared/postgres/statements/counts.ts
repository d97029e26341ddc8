/**
 * How many jobs there are, as the database keeps count: triggers on `warren.jobs` add a row to `warren.job_counts` for what each statement has changed,
 * in its transaction.
 *
 * Guarantees: the sum of the rows equals a full count of the jobs in every snapshot, whatever has died; reading it costs the same however many jobs
 * there are.
 */
import type { JobFilter } from '../../job/job-filter.ts';
import type { JobState } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import { matches } from './job-filter.ts';

/** So many jobs of a queue are in this state. */
export interface QueueCount {
  queue: string;
  state: JobState;
  count: number;
}

/** Counts by queue and state; what has no job is left out. */
export async function countJobs(sql: Sql): Promise<QueueCount[]> {
  return await sql<QueueCount[]>`
    select queue, state, sum(jobs)::float8 as count from warren.job_counts
    group by queue, state having sum(jobs) <> 0`;
}

/** The same for what the filter says of state, type and queue; the rest of it does not count. */
export async function countMatchingJobs(sql: Sql, { state, type, queue }: JobFilter): Promise<QueueCount[]> {
  return await sql<QueueCount[]>`
    select queue, state, sum(jobs)::float8 as count from warren.job_counts
    where ${matches(sql, { state, type, queue })}
    group by queue, state having sum(jobs) <> 0`;
}

/**
 * Replaces up to `limit` rows by their sums and returns how many there were, where there are more than `worthwhile`; else returns 0 and does nothing.
 * Waits for nobody but another fold.
 */
export async function foldCounts(
  sql: Sql,
  { worthwhile, limit }: { worthwhile: number; limit: number },
): Promise<number> {
  const [row] = await sql<{ folded: number }[]>`
    with taken as (
      delete from warren.job_counts where ctid = any(array(select ctid from warren.job_counts limit ${limit}))
        and exists (select from warren.job_counts offset ${worthwhile})
      returning queue, type, state, jobs
    ),
    folded as (
      insert into warren.job_counts (queue, type, state, jobs)
      select queue, type, state, sum(jobs) from taken group by queue, type, state having sum(jobs) <> 0
    )
    select count(*)::float8 as folded from taken`;
  return row?.folded ?? 0;
}
