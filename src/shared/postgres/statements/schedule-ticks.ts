/**
 * The ticks of schedules: what is due, and what became of each. One function per statement.
 *
 * Guarantees: a tick is decided once, because who decides holds the row of its schedule and finds it as it was planned, and because the key of
 * `warren.schedule_ticks` lets no tick in twice. All times come from the database's clock.
 */
import type { CatchUp, Overlap, Tick, TickOutcome, TickReason } from '../../job/schedule.ts';
import type { Sql } from '../database.ts';
import type { NewJob } from './new-rows.ts';
import { texts } from './parts.ts';
import { isLive } from './states.ts';

/** A schedule whose next tick has come, as the ticker needs it. */
export interface DueScheduleRow {
  name: string;
  revision: string;
  cron: string | null;
  everyMs: number | null;
  at: Date | null;
  timezone: string;
  job: NewJob;
  overlap: Overlap;
  catchUp: CatchUp;
  jitterMs: number;
  paused: boolean;
  nextTick: Date;
  /** When this was read. */
  now: Date;
}

/** Milliseconds until the next tick of any schedule; null where none comes. Index: schedules_next_tick. */
export async function nextTickMs(sql: Sql): Promise<number | null> {
  const [row] = await sql<{ ms: number | null }[]>`
    select extract(epoch from next_tick - clock_timestamp())::float8 * 1000 as ms from warren.schedules
    where next_tick is not null order by next_tick limit 1`;
  return row?.ms ?? null;
}

/** The schedules whose next tick has come, the one that waits longest first. Index: schedules_next_tick. */
export async function findDueSchedules(sql: Sql, limit: number): Promise<DueScheduleRow[]> {
  return await sql<DueScheduleRow[]>`
    select name, revision, cron, every_ms::float8 as "everyMs", at, timezone, job, overlap, catch_up as "catchUp",
      jitter_ms::float8 as "jitterMs", paused, next_tick as "nextTick", clock_timestamp() as now
    from warren.schedules where next_tick <= clock_timestamp() order by next_tick limit ${limit}`;
}

/** From this tick of this revision to the next one. */
export interface TickMove {
  name: string;
  revision: string;
  /** RFC 3339. */
  from: string;
  to: string | null;
}

/**
 * Takes the schedules for this transaction and moves each to its next tick. Returns the names of those that are as they were planned: what somebody
 * else has decided or changed meanwhile, or is deciding now, is left. By primary key.
 */
export async function moveToNextTick(sql: Sql, moves: readonly TickMove[]): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    with planned as (
      select * from jsonb_to_recordset(${JSON.stringify(moves)}::text::jsonb)
        as planned(name text, revision bigint, "from" timestamptz, "to" timestamptz)
    ),
    held as (
      select schedule.name, planned."to" from warren.schedules schedule join planned using (name)
      where schedule.revision = planned.revision and schedule.next_tick = planned."from"
      order by schedule.name for update of schedule skip locked
    )
    update warren.schedules schedule set next_tick = held."to" from held where schedule.name = held.name
    returning schedule.name`;
  return rows.map(({ name }) => name);
}

/** A job of a schedule that has not ended. */
export interface OpenJob {
  schedule: string;
  jobId: string;
}

/** The jobs of these schedules that have not ended, oldest first; the others are noted as ended. Index: schedule_ticks_open. */
export async function findOpenJobs(sql: Sql, schedules: readonly string[]): Promise<OpenJob[]> {
  return await sql<OpenJob[]>`
    with seen as (
      select tick.schedule, tick.tick, tick.job_id,
        exists (select from warren.jobs job where job.id = tick.job_id and ${isLive(sql)}) as is_live
      from warren.schedule_ticks tick where tick.is_open and tick.schedule = any(${texts(schedules)}::text::text[])
    ),
    closed as (
      update warren.schedule_ticks tick set is_open = false from seen
      where tick.schedule = seen.schedule and tick.tick = seen.tick and not seen.is_live
    )
    select schedule, job_id as "jobId" from seen where is_live order by tick`;
}

/** A tick and what is to become of it. */
export interface DecidedTick {
  schedule: string;
  /** RFC 3339. */
  tick: string;
  until: string | null;
  outcome: TickOutcome;
  reason: TickReason | null;
}

/** Notes the ticks, and returns those that nobody had noted before, in order: `schedule` and `tick` of each. By primary key. */
export async function insertTicks(
  sql: Sql,
  ticks: readonly DecidedTick[],
): Promise<{ schedule: string; tick: Date }[]> {
  return await sql<{ schedule: string; tick: Date }[]>`
    insert into warren.schedule_ticks (schedule, tick, until, outcome, reason)
    select schedule, tick, until, outcome, reason
    from jsonb_to_recordset(${JSON.stringify(ticks)}::text::jsonb)
      as decided(schedule text, tick timestamptz, until timestamptz, outcome text, reason text)
    order by schedule, tick
    on conflict (schedule, tick) do nothing
    returning schedule, tick`;
}

/** The job of a tick that was noted in this transaction. */
export interface TickJob {
  schedule: string;
  /** RFC 3339. */
  tick: string;
  jobId: string | null;
  outcome: TickOutcome;
  reason: TickReason | null;
}

/** By primary key. */
export async function noteTickJobs(sql: Sql, jobs: readonly TickJob[]): Promise<void> {
  await sql`
    update warren.schedule_ticks tick
    set job_id = noted."jobId", outcome = noted.outcome, reason = noted.reason, is_open = noted.outcome = 'enqueued'
    from jsonb_to_recordset(${JSON.stringify(jobs)}::text::jsonb)
      as noted(schedule text, tick timestamptz, "jobId" bigint, outcome text, reason text)
    where tick.schedule = noted.schedule and tick.tick = noted.tick`;
}

/** The ticks of a schedule before this one, newest first; `cursor` is the tick in full, RFC 3339. By primary key. */
export async function findTicks(
  sql: Sql,
  schedule: string,
  { before, limit }: { before: string; limit: number },
): Promise<(Tick & { cursor: string })[]> {
  return await sql<(Tick & { cursor: string })[]>`
    select to_char(tick at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as cursor, tick as at, until, outcome, reason, job_id as "jobId", decided_at as "decidedAt" from warren.schedule_ticks
    where schedule = ${schedule} and tick < ${before}::text::timestamptz order by tick desc limit ${limit}`;
}

/** Forgets ticks that were decided longer ago. Returns how many, at most `limit`. Index: schedule_ticks_decided_at. */
export async function pruneTicks(
  sql: Sql,
  { keptMs, limit }: { keptMs: number; limit: number },
): Promise<number> {
  const { count } = await sql`
    with old as (
      select schedule, tick from warren.schedule_ticks where decided_at < now() - ${keptMs} * interval '1 ms'
      order by decided_at limit ${limit} for update skip locked
    )
    delete from warren.schedule_ticks tick using old where tick.schedule = old.schedule and tick.tick = old.tick`;
  return count;
}
