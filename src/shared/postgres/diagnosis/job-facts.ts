/**
 * What `warren doctor` looks at in the jobs themselves: what waits for long and for what, what fails, what takes workers down, what runs for long. Reads only.
 *
 * Guarantees: what it counts is bounded, and goes by the partial indexes of the states.
 */
import type { Sql } from '../database.ts';
import type { FailingType } from '../statements/failing-types.ts';
import { findFailingTypes } from '../statements/failing-types.ts';
import type { Fragment } from '../statements/parts.ts';
import { hasRunningType, isBeating, QUARANTINED_FROM, servedTypes } from '../statements/parts.ts';

export interface WaitingQueue {
  queue: string;
  /** Counted up to 10 000. */
  jobs: number;
  /** When the oldest of them could have started. */
  since: Date;
  /** What most of them are, and of which group most of these are. */
  type: string;
  jobsOfType: number;
  group: string | null;
  jobsOfGroup: number;
  /** Of all workers that serve the queue. */
  slots: number;
  running: number;
  /** The type that runs most there, and the job of it that runs for longest. */
  busiest: { type: string; jobs: number; id: string; since: string } | null;
}

export interface JobFacts {
  /** With a job that has waited for a minute, though it is served and not paused. */
  waitingQueues: WaitingQueue[];
  /** Limits at which a job has waited for a minute. */
  waitingLimits: { gate: string; jobs: number; since: Date; concurrency: number | null }[];
  failingTypes: FailingType[];
  /** Jobs that have taken workers down within the hour, those that have done so most often first. */
  crashing: { id: string; type: string; crashes: number; since: string; discarded: boolean }[];
  /** Jobs that have run for ten minutes, the longest first. */
  longRunning: { id: string; type: string; queue: string; since: Date; worker: string | null }[];
}

const MINUTES = 60;
const MAX_COUNTED = 10_000;
const MAX_TOLD = 10;

export async function readJobFacts(sql: Sql): Promise<JobFacts> {
  return {
    waitingQueues: await findWaitingQueues(sql),
    waitingLimits: await findWaitingLimits(sql),
    failingTypes: await findFailingTypes(sql, MINUTES),
    crashing: await findCrashing(sql),
    longRunning: await findLongRunning(sql),
  };
}

/** What its group lets wait is among them: it would run, had the queue more slots. Indexes: jobs_available, jobs_held_by_queue, jobs_running. */
async function findWaitingQueues(sql: Sql): Promise<WaitingQueue[]> {
  return await sql<WaitingQueue[]>`
    with serving as (
      select queue, sum((slots ->> queue)::int)::int as slots from warren.workers, unnest(queues) as queue
      where ${isBeating(sql)} group by queue
    ),
    waiting as (
      select serving.queue, serving.slots, job.type, job.group_key, job.run_at
      from serving, lateral (
        (
          select type, group_key, run_at from warren.jobs job
          where state = 'available' and job.queue = serving.queue and ${mayRun(sql)} order by run_at limit ${MAX_COUNTED}
        )
        union all
        (
          select type, group_key, run_at from warren.jobs job
          where state = 'held' and job.queue = serving.queue and held_for like 'group:%' and ${mayRun(sql)} limit ${MAX_COUNTED}
        )
      ) as job
      where serving.queue not in (select name from warren.queues where paused)
    ),
    late as (
      select queue, max(slots) as slots, count(*)::int as jobs, min(run_at) as since, mode() within group (order by type) as type
      from waiting group by queue having min(run_at) < now() - interval '1 min'
    ),
    most as (
      select late.*, "jobsOfType", "group", (
        select count(*)::int from waiting where waiting.queue = late.queue and waiting.type = late.type and waiting.group_key = "group"
      ) as "jobsOfGroup"
      from late, lateral (
        select count(*)::int as "jobsOfType", mode() within group (order by group_key) as "group"
        from waiting where waiting.queue = late.queue and waiting.type = late.type
      ) as one
    )
    select most.*, (select count(*)::int from warren.jobs job where state = 'running' and job.queue = most.queue) as running, (
      select jsonb_build_object('type', type, 'jobs', count(*), 'since', min(started_at),
        'id', (array_agg(id::text order by started_at))[1])
      from warren.jobs job where state = 'running' and job.queue = most.queue group by type order by count(*) desc, min(started_at) limit 1
    ) as busiest
    from most order by since limit ${MAX_TOLD}`;
}

/** Its type is not paused, and a living worker of its queue knows it. */
function mayRun(sql: Sql): Fragment {
  return sql`(job.queue, type) in (select queue, type from ${servedTypes(sql)} as served) and ${hasRunningType(sql)}`;
}

/** Index: jobs_held. */
async function findWaitingLimits(sql: Sql): Promise<JobFacts['waitingLimits']> {
  return await sql<JobFacts['waitingLimits']>`
    select substr(gate, 7) as gate, jobs, since, (
      select concurrency from warren.limits where name = split_part(gate, ':', 2) order by origin desc limit 1
    ) as concurrency
    from (
      select held_for as gate, count(*)::int as jobs, min(run_at) as since from (
        select held_for, run_at from warren.jobs where state = 'held' and held_for like 'limit:%' limit ${MAX_COUNTED}
      ) as held group by held_for having min(run_at) < now() - interval '1 min'
    ) as late
    order by jobs desc limit ${MAX_TOLD}`;
}

/** Indexes: jobs_running, jobs_available, jobs_failed. */
async function findCrashing(sql: Sql): Promise<JobFacts['crashing']> {
  return await sql<JobFacts['crashing']>`
    select id::text, type, crashes, since, state = 'discarded' as discarded
    from (
      select * from (select * from warren.jobs where state = 'running' limit ${MAX_COUNTED}) as running
      union all
      select * from (select * from warren.jobs where state = 'available' order by run_at limit ${MAX_COUNTED}) as available
      union all
      select * from (select * from warren.jobs where state = 'discarded' order by id desc limit ${MAX_COUNTED}) as discarded
    ) as job, lateral (
      select min(error ->> 'at') as since, max((error ->> 'at')::timestamptz) as last
      from jsonb_array_elements(errors) as error where error ->> 'message' like 'worker_crashed%'
    ) as crash
    where crashes >= ${QUARANTINED_FROM} and last > now() - ${MINUTES} * interval '1 min'
    order by crashes desc, id limit ${MAX_TOLD}`;
}

/** Index: jobs_running. */
async function findLongRunning(sql: Sql): Promise<JobFacts['longRunning']> {
  return await sql<JobFacts['longRunning']>`
    select id::text, type, queue, started_at as since, (
      select name from warren.workers where warren.workers.owner = job.owner
    ) as worker
    from warren.jobs job where state = 'running' and started_at < now() - interval '10 min'
    order by started_at limit ${MAX_TOLD}`;
}
