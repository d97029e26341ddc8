/**
 * How many jobs have ended and how many attempts have failed, by minute, for the curve that people look at. Reads only.
 *
 * Guarantees: costs the same however many jobs there are. Where more jobs were enqueued in that time than are looked at, every so-many-th is, and counts for
 * those between: no index on the time of an end is kept for this, which every job would pay for.
 */
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';

/** Jobs that are looked at: of those enqueued in the time that is asked for, and as many of those before. */
const LOOKED_AT = 2_000;

export interface EndsOfMinute {
  /** Its beginning. */
  at: Date;
  completed: number;
  /** Attempts, those that are followed by another one among them. */
  failed: number;
}

/**
 * The last so many minutes by the database's clock, the oldest first; minutes in which nothing has ended are left out.
 */
export async function findRecentEnds(sql: Sql, minutes: number): Promise<EndsOfMinute[]> {
  return await sql<EndsOfMinute[]>`
    with recursive ${recentJobs(sql, minutes)},
    ends as (
      select finished_at as at, step as completed, 0 as failed from looked_at where state = 'completed'
      union all
      select (error ->> 'at')::timestamptz, 0, step
      from looked_at, lateral jsonb_array_elements(errors) as error
      where errors <> '[]'
    )
    select date_trunc('minute', at) as at, sum(completed)::float8 as completed, sum(failed)::float8 as failed
    from ends, since
    where at >= since
    group by 1 order by 1`;
}

/**
 * Terms for `with recursive`: `since`, when the time begins, and `looked_at`, jobs, each with how many it stands for (`step`). Ids grow with the time of the
 * enqueue, near enough, so that the first of the time is found by halving.
 */
export function recentJobs(sql: Sql, minutes: number): Fragment {
  return sql`
    span as (
      select coalesce(min(id), 1) as lowest, coalesce(max(id), 0) as highest from warren.jobs
    ),
    since as (
      select date_trunc('minute', now()) - ${minutes - 1} * interval '1 minute' as since
    ),
    halving as (
      select lowest as low, highest + 1 as high from span
      union all
      select case when is_older then middle + 1 else low end, case when is_older then high else middle end
      from halving, since, lateral (select (low + high) / 2 as middle) as found, lateral (
        select coalesce((
          select created_at < since from warren.jobs where id <= middle order by id desc limit 1
        ), true) as is_older
      ) as probe
      where low < high
    ),
    parts as (
      select low as first, highest as last from halving, span where low = high
      union all
      select lowest, low - 1 from halving, span where low = high
    ),
    looked_at as (
      select job.type, job.queue, job.state, job.finished_at, job.errors, step
      from parts, lateral (select greatest(1, ceil((last - first + 1) / ${LOOKED_AT}::numeric))::bigint as step) as steps,
        lateral generate_series(first, last, step) as wanted (id)
        join warren.jobs job on job.id = wanted.id
    )`;
}
