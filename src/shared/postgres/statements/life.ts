/**
 * What a job's row tells of its life beside the job itself, for the time line that people look at. Reads only.
 */
import type { JobLife } from '../../job/job-life.ts';
import type { Sql } from '../database.ts';

/** A tick is decided in the transaction that inserts its job. */
const DECIDED_WITHIN_MINUTES = 5;

/** By primary key, and for the schedule: index schedule_ticks_decided_at. */
export async function findLife(sql: Sql, id: string): Promise<JobLife | undefined> {
  const [life] = await sql<JobLife[]>`
    select published_at as "publishedAt", cancel_requested_at as "cancelRequestedAt",
      (select name from warren.workers worker where worker.owner = job.owner) as worker,
      (select schedule from warren.schedule_ticks tick where tick.job_id = job.id
        and decided_at between job.created_at - ${DECIDED_WITHIN_MINUTES} * interval '1 min' and job.created_at + ${DECIDED_WITHIN_MINUTES} * interval '1 min'
        limit 1) as schedule
    from warren.jobs job where id = ${id}::text::bigint`;
  return life;
}
