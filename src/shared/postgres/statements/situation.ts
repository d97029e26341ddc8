/**
 * All that decides whether a job runs, as it is now: its row, its queue and type, the gate at which it waits, who could run it, what goes before it.
 *
 * Guarantees: one statement, by indexes; what it counts is bounded. Reads only.
 */
import type { Job } from '../../job/job.ts';
import type { JobState } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import { areClaimsOpen, isBeating, isPresent, mayStart } from './parts.ts';

/** Jobs that go before this one are counted up to here. */
export const MAX_AHEAD = 1_000;

/** Those who live and have told that they run the job's queue. */
export interface Fleet {
  /** Living workers, whatever they run. */
  alive: number;
  /** Those that serve the queue and take jobs. */
  serving: number;
  /** Those that serve the queue, and take no more: they drain. */
  draining: number;
  /** Those that serve the queue, take jobs and know the type. */
  knowing: number;
  /** How many jobs of the queue these run at once. */
  slots: number;
  /** How many they run now. */
  running: number;
  /** One of them takes its jobs straight from Postgres. */
  isOnFallback: boolean;
}

export interface Situation
  extends Pick<
    Job,
    | 'state'
    | 'type'
    | 'queue'
    | 'attempt'
    | 'maxAttempts'
    | 'runAt'
    | 'createdAt'
    | 'startedAt'
    | 'finishedAt'
  > {
  isPublished: boolean;
  isCancelRequested: boolean;
  /** Its time has come. */
  isDue: boolean;
  /** Nobody may start it any more: it has expired, or its time over all attempts is over. */
  isLate: boolean;
  expiresAt: Date | null;
  deadlineAt: Date | null;
  /** When its last attempt failed, if one has. */
  failedAt: string | null;
  /** It was discarded because it was not started in time. */
  hasExpired: boolean;
  areClaimsOpen: boolean;
  isQueuePaused: boolean;
  queuePausedAt: Date | null;
  isTypePaused: boolean;
  typePausedAt: Date | null;
  /** Since when nobody runs it, as the leader has noted it. */
  unservedSince: Date | null;
  /** A worker does the maintenance of the fleet. */
  isLed: boolean;
  fleet: Fleet;
  /** Jobs that go before it in its queue, or at its gate. */
  ahead: number;
  /** Where it is held. */
  gate: string | null;
  /** Jobs that have a place at that gate. */
  gateInUse: number;
  limit: { concurrency: number | null; rateCount: number | null; ratePerMs: number | null } | null;
  /** How many jobs of a group of its queue may run at once. */
  groupMaxRunning: number | null;
  /** Who has its order, if somebody has. */
  holder: { id: string; state: JobState } | null;
  /** The worker that it runs on, as it has told last. */
  worker: { name: string; beatAt: string; isBeating: boolean; isPresent: boolean } | null;
}

/** Undefined where there is no such job. Indexes: the primary keys, jobs_running, jobs_available, jobs_held. */
export async function findSituation(sql: Sql, id: string): Promise<Situation | undefined> {
  const [row] = await sql<Situation[]>`
    select job.state, job.type, job.queue, job.attempt, job.max_attempts as "maxAttempts", job.run_at as "runAt", job.created_at as "createdAt",
      job.started_at as "startedAt", job.finished_at as "finishedAt", job.published_at is not null as "isPublished",
      job.cancel_requested_at is not null as "isCancelRequested", job.run_at <= now() as "isDue", not (${mayStart(sql)}) as "isLate",
      job.expires_at as "expiresAt", job.deadline_at as "deadlineAt", job.errors -> -1 ->> 'at' as "failedAt",
      job.started_at is null and job.state = 'discarded' and job.errors -> -1 ->> 'message' like 'expired:%' as "hasExpired", ${areClaimsOpen(sql)} as "areClaimsOpen",
      coalesce(known_queue.paused, false) as "isQueuePaused", known_queue.paused_at as "queuePausedAt",
      coalesce(known_type.paused, false) as "isTypePaused", known_type.paused_at as "typePausedAt",
      (select since from warren.unserved_types unserved where unserved.queue = job.queue and unserved.type = job.type) as "unservedSince",
      exists (select from warren.leadership where until > now()) as "isLed",
      ${fleetOf(sql)} as fleet, ${aheadOf(sql)} as ahead,
      job.held_for as gate, known_queue.group_max_running as "groupMaxRunning",
      (
        select count(*)::int from warren.passes pass join warren.jobs other on other.id = pass.job_id
        where pass.gate = job.held_for collate "C" and (other.state = 'available' or other.state = 'running')
      ) as "gateInUse",
      (
        select jsonb_build_object('concurrency', concurrency, 'rateCount', rate_count, 'ratePerMs', rate_per_ms) from warren.limits
        where job.held_for like 'limit:%' and name = split_part(job.held_for, ':', 2) order by origin desc limit 1
      ) as limit,
      (
        select jsonb_build_object('id', other.id::text, 'state', other.state)
        from warren.passes pass join warren.jobs other on other.id = pass.job_id
        where job.held_for like 'order:%' and pass.gate = job.held_for collate "C" limit 1
      ) as holder,
      (
        select jsonb_build_object('name', name, 'beatAt', beat_at, 'isBeating', ${isBeating(sql)}, 'isPresent', ${isPresent(sql, sql`job.owner`)})
        from warren.workers where job.state = 'running' and owner = job.owner
      ) as worker
    from warren.jobs job
    left join warren.queues known_queue on known_queue.name = job.queue
    left join warren.job_types known_type on known_type.name = job.type
    where job.id = ${id}::text::bigint`;
  return row;
}

/** As a `Fleet`. What a worker of an earlier version has not told counts as if it ran everything. */
function fleetOf(sql: Sql) {
  return sql`(
    select jsonb_build_object('alive', count(*), 'serving', count(*) filter (where serves and not drains),
      'draining', count(*) filter (where serves and drains), 'knowing', count(*) filter (where knows),
      'slots', coalesce(sum(slots) filter (where knows), 0), 'running', coalesce(sum(running) filter (where knows), 0),
      'isOnFallback', coalesce(bool_or(lane = 'postgres') filter (where knows), false))
    from (
      select drains, lane, serves, (told.slots ->> job.queue)::int as slots,
        serves and not drains and (job.type = any(types) or types = '{}') as knows,
        (
          select count(*) from warren.jobs other where other.state = 'running' and other.owner = told.owner and other.queue = job.queue
        ) as running
      from warren.workers told, lateral (
        select job.queue = any(queues) or queues = '{}' and types = '{}' as serves, told.draining or told.drain_requested_at is not null as drains
      ) as asked
      where ${isBeating(sql)}
    ) as living
  )`;
}

function aheadOf(sql: Sql) {
  return sql`(
    select count(*)::int from (
      (
        select from warren.jobs other
        where job.state = 'available' and other.state = 'available' and other.queue = job.queue and (other.run_at, other.id) < (job.run_at, job.id)
        limit ${MAX_AHEAD}
      )
      union all
      (
        select from warren.jobs other
        where job.state = 'held' and other.state = 'held' and other.held_for collate "C" = job.held_for collate "C"
          and (other.held_rank, other.id) < (job.held_rank, job.id)
        limit ${MAX_AHEAD}
      )
    ) as earlier
  )`;
}
