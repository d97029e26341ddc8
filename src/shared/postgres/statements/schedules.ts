/**
 * Schedules as rows: set, told by code, found, paused, removed. One statement per function; their ticks stand in schedule-ticks.ts.
 */
import type {
  CatchUp,
  Overlap,
  Schedule,
  ScheduledJobOptions,
  TickOutcome,
  TickReason,
} from '../../job/schedule.ts';
import type { Sql } from '../database.ts';
import { notify } from '../notices.ts';
import type { NewJob } from './new-rows.ts';
import type { Fragment } from './parts.ts';
import { isBeating } from './parts.ts';

/** What `warren.schedules` holds of a definition. Times are RFC 3339. */
export interface DefinedSchedule {
  name: string;
  app: string;
  cron: string | null;
  everyMs: number | null;
  at: string | null;
  timezone: string;
  type: string;
  args: unknown;
  options: ScheduledJobOptions;
  job: NewJob;
  overlap: Overlap;
  catchUp: CatchUp;
  jitterMs: number;
  /** Null: as it is, and not of a new one. */
  paused: boolean | null;
  /** Where it begins anew with these times; of one that comes once its only tick. */
  nextTick: string | null;
}

export interface SetOptions {
  schedule: DefinedSchedule;
  /** The definition as code has it; null where it is set at run time. Left as it was told before where it is undefined. */
  told?: unknown;
}

/**
 * Sets the schedule; whether it is paused stays as it is, where that is not given. With the same times it goes on where it was. With others it begins anew, and what was due by the
 * former and not decided is noted as missed.
 */
export async function setSchedule(sql: Sql, { schedule, told }: SetOptions): Promise<void> {
  const hasSameTimes = sql`(known.cron, known.every_ms, known.at, known.timezone) is not distinct from
    (given.cron, given."everyMs", given.at, given.timezone)`;
  await sql`
    with given as (
      select * from jsonb_to_record(${JSON.stringify(schedule)}::text::jsonb) as given(
        name text, app text, cron text, "everyMs" bigint, at timestamptz, timezone text, type text, args jsonb, options jsonb, job jsonb,
        overlap text, "catchUp" text, "jitterMs" bigint, paused boolean, "nextTick" timestamptz)
    ),
    dropped as (
      insert into warren.schedule_ticks (schedule, tick, until, outcome, reason)
      select known.name, known.next_tick, now(), 'missed', 'redefined' from warren.schedules known join given using (name)
      where known.next_tick <= now() and not known.paused and not ${hasSameTimes}
      on conflict (schedule, tick) do nothing
    ),
    begun as (
      select given.*, case
        when given.at is not null and exists (
          select from warren.schedule_ticks tick where tick.schedule = given.name and tick.tick = given.at) then null
        else given."nextTick" end as first_tick
      from given
    )
    insert into warren.schedules as known (name, app, cron, every_ms, at, timezone, type, args, options, job, overlap, catch_up, jitter_ms,
      paused, next_tick, told, told_at)
    select name, app, cron, "everyMs", at, timezone, type, args, options, job, overlap, "catchUp", "jitterMs", coalesce(paused, false), first_tick,
      ${told === undefined ? null : JSON.stringify(told)}::text::jsonb, case when ${told != null}::boolean then now() end
    from begun
    on conflict (name) do update
    set app = excluded.app, cron = excluded.cron, every_ms = excluded.every_ms, at = excluded.at, timezone = excluded.timezone,
      type = excluded.type, args = excluded.args, options = excluded.options, job = excluded.job, overlap = excluded.overlap,
      catch_up = excluded.catch_up, jitter_ms = excluded.jitter_ms, paused = coalesce((select given.paused from given), known.paused),
      next_tick = case when (known.cron, known.every_ms, known.at, known.timezone) is not distinct from
        (excluded.cron, excluded.every_ms, excluded.at, excluded.timezone) then known.next_tick else excluded.next_tick end,
      told = coalesce(excluded.told, known.told), told_at = coalesce(excluded.told_at, known.told_at),
      revision = known.revision + 1, updated_at = now()
    returning ${notify(sql, { kind: 'due' })}`;
}

/** Notes that code tells these schedules, and returns the names of those that it tells as it did before. By primary key. */
export async function confirmSchedules(
  sql: Sql,
  app: string,
  told: readonly { name: string; told: unknown }[],
): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    update warren.schedules schedule set told_at = now()
    from jsonb_to_recordset(${JSON.stringify(told)}::text::jsonb) as given(name text, told jsonb)
    where schedule.name = given.name and schedule.told = given.told and schedule.app = ${app}
    returning schedule.name`;
  return rows.map(({ name }) => name);
}

/** A schedule that another application has, whose living workers tell it. */
export async function findForeignSchedules(
  sql: Sql,
  app: string,
  names: readonly string[],
): Promise<{ name: string; app: string }[]> {
  return await sql<{ name: string; app: string }[]>`
    select name, app from warren.schedules schedule
    where name in (select jsonb_array_elements_text(${JSON.stringify(names)}::text::jsonb)) and app <> ${app} and ${isTold(sql)}`;
}

/** A row of `warren.schedules` with the last of its ticks. */
export interface ScheduleRow extends Omit<Schedule, 'next' | 'lastTick'> {
  nextTick: Date | null;
  lastAt: Date | null;
  lastUntil: Date | null;
  lastOutcome: TickOutcome;
  lastReason: TickReason | null;
  lastJobId: string | null;
  lastDecidedAt: Date;
}

/** Schedules by name, after this one. By primary key. */
export async function listSchedules(
  sql: Sql,
  { after, limit }: { after: string; limit: number },
): Promise<ScheduleRow[]> {
  return await find(sql, sql`name > ${after} order by name limit ${limit}`);
}

/** By primary key. */
export async function findSchedule(sql: Sql, name: string): Promise<ScheduleRow | undefined> {
  const [row] = await find(sql, sql`name = ${name}`);
  return row;
}

async function find(sql: Sql, condition: Fragment): Promise<ScheduleRow[]> {
  return await sql<ScheduleRow[]>`
    select name, app, cron, every_ms::float8 as "everyMs", at, timezone, type, args, options, overlap, catch_up as "catchUp",
      jitter_ms::float8 as "jitterMs", paused, told is not null as "definedInCode", next_tick as "nextTick",
      last.tick as "lastAt", last.until as "lastUntil", last.outcome as "lastOutcome", last.reason as "lastReason",
      last.job_id as "lastJobId", last.decided_at as "lastDecidedAt"
    from warren.schedules schedule left join lateral (
      select * from warren.schedule_ticks tick where tick.schedule = schedule.name order by tick.tick desc limit 1
    ) as last on true
    where ${condition}`;
}

/** The database's clock. */
export async function readClock(sql: Sql): Promise<Date> {
  const [row] = await sql<{ now: Date }[]>`select clock_timestamp() as now`;
  if (row === undefined) throw new Error('Postgres has no time');
  return row.now;
}

/** Returns whether there is such a schedule. */
export async function pauseSchedule(sql: Sql, name: string, paused: boolean): Promise<boolean> {
  const { count } = await sql`
    update warren.schedules set paused = ${paused}, revision = revision + 1, updated_at = now() where name = ${name}`;
  return count > 0;
}

/** Removes a schedule that the code of no living worker defines. Its history stays. Returns whether it is gone by it. */
export async function removeSchedule(sql: Sql, name: string): Promise<boolean> {
  const { count } = await sql`
    delete from warren.schedules schedule where name = ${name} and (told is null or not ${isTold(sql)})`;
  return count > 0;
}

/** Removes the schedules that are gone from the code of their application: its living workers are there, and none of them tells of it. Returns the names. */
export async function removeUntoldSchedules(sql: Sql, toldForMs: number): Promise<string[]> {
  const rows = await sql<{ name: string }[]>`
    delete from warren.schedules schedule
    where told is not null and told_at < now() - ${toldForMs} * interval '1 ms' and not ${isTold(sql)}
      and exists (select from warren.workers worker where worker.app = schedule.app and worker.schedules is not null and ${isBeating(sql)})
    returning name`;
  return rows.map(({ name }) => name);
}

/** Of a row of `warren.schedules`: whether a living worker of its application has it in its code. */
function isTold(sql: Sql): Fragment {
  return sql`exists (
    select from warren.workers worker
    where worker.app = schedule.app and schedule.name = any(worker.schedules) and ${isBeating(sql)})`;
}

/** A schedule as somebody lets it run now; held until the transaction ends. */
export async function holdSchedule(sql: Sql, name: string): Promise<{ job: NewJob; now: Date } | undefined> {
  const [row] = await sql<{ job: NewJob; now: Date }[]>`
    select job, clock_timestamp() as now from warren.schedules where name = ${name} for update`;
  return row;
}

/** Notes a job that somebody has asked for. Its tick is the moment of it, between two milliseconds: never one of the schedule's own. */
export async function noteRunNow(sql: Sql, schedule: string, jobId: string): Promise<void> {
  await sql`
    insert into warren.schedule_ticks (schedule, tick, outcome, reason, job_id, is_open)
    values (${schedule}, date_trunc('milliseconds', clock_timestamp()) + (1 + floor(random() * 999)) * interval '1 microsecond', 'enqueued', 'run-now', ${jobId}::text::bigint, true)`;
}
