/**
 * Job types whose jobs fail more than they succeed, and since when. Reads only.
 *
 * Guarantees: costs the same however many jobs there are: it looks at the jobs of recent-ends.ts, and counts as that does.
 */
import type { Sql } from '../database.ts';
import { recentJobs } from './recent-ends.ts';

/** Fewer may be bad luck. */
const MIN_JOBS = 3;
const MAX_TYPES = 20;

export interface FailingType {
  queue: string;
  type: string;
  /** Jobs that have failed since then and have not come through: they wait for another attempt, or were discarded. */
  jobs: number;
  /** From then on at least as many have failed as were completed. */
  since: Date;
  /** What most of these errors say. Not for everybody's eyes: nothing is hidden in it. */
  message: string;
}

/** Of the last so many minutes, those with most jobs first. */
export async function findFailingTypes(sql: Sql, minutes: number): Promise<FailingType[]> {
  return await sql<FailingType[]>`
    with recursive ${recentJobs(sql, minutes)},
    outcomes as (
      select queue, type, finished_at as at, step as completed, 0 as failed, null as message
      from looked_at, since where state = 'completed' and finished_at >= since
      union all
      select queue, type, first_failed_at, 0, step, errors -> -1 ->> 'message'
      from looked_at, since, lateral (
        select min((error ->> 'at')::timestamptz) as first_failed_at from jsonb_array_elements(errors) as error
        where (error ->> 'at')::timestamptz >= since
      ) as failure
      where (state = 'retryable' or state = 'discarded') and first_failed_at is not null
    ),
    summed as (
      select queue, type, at, failed > 0 as is_failure,
        sum(completed) over until_now as completed, sum(failed) over until_now as failed
      from outcomes window until_now as (partition by queue, type order by at desc)
    ),
    failing as (
      select distinct on (queue, type) queue, type, at as since, failed as jobs
      from summed where is_failure and failed >= completed and failed >= ${MIN_JOBS}
      order by queue, type, at
    )
    select queue, type, jobs::float8 as jobs, since, (
      select mode() within group (order by message) from outcomes
      where outcomes.queue = failing.queue and outcomes.type = failing.type and at >= failing.since and outcomes.failed > 0
    ) as message
    from failing order by jobs desc, queue, type limit ${MAX_TYPES}`;
}
