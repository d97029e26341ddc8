/**
 * What people do with schedules: list, look up, set, remove, pause and resume, run now, and read what became of their ticks.
 *
 * Guarantees: what is answered has been committed; all times are the database's; a schedule that code defines is not removed while a worker tells of it.
 */
import { Conflict, InvalidInput, NotFound } from '#shared/base/errors.ts';
import { mapInSlices } from '#shared/base/slices.ts';
import type { App } from '#shared/job/app.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import type { Schedule, Tick } from '#shared/job/schedule.ts';
import { scheduleTimes } from '#shared/job/schedule-times.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { insertJobs } from '#shared/postgres/statements/insert.ts';
import { findUnknownLimits } from '#shared/postgres/statements/limits.ts';
import { findTicks } from '#shared/postgres/statements/schedule-ticks.ts';
import type { ScheduleRow } from '#shared/postgres/statements/schedules.ts';
import {
  findSchedule,
  holdSchedule,
  listSchedules,
  noteRunNow,
  pauseSchedule,
  readClock,
  removeSchedule,
  setSchedule,
} from '#shared/postgres/statements/schedules.ts';
import type { Enqueuer } from '../enqueue.ts';
import { KnownLimits } from '../gates/known-limits.ts';
import type { ScheduleInput } from './schedule-input.ts';
import { toDefinedSchedule } from './schedule-input.ts';
import { insertTraced } from './tick-span.ts';

/** Ticks to come that are shown. */
const NEXT = 10;
const DEFAULT_PAGE = 50;
/** Later than any tick. */
const END_OF_TIME = '9999-12-31T00:00:00Z';
const CURSOR = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/;

export interface PageRequest {
  /** Defaults to 50. */
  limit?: number | undefined;
  /** The `nextCursor` of the page before. */
  cursor?: string | undefined;
}

/** All throw `NotFound` where there is no such schedule, and `Unavailable` where nobody can tell now. */
export interface Schedules {
  /** By name. */
  list(page?: PageRequest): Promise<{ schedules: Schedule[]; nextCursor: string | null }>;
  find(name: string): Promise<Schedule>;
  /** Makes it, or replaces what it was; whether it is paused stays, where that is not given. Throws `InvalidInput`, and `Conflict` where another application has the name. */
  set(name: string, input: ScheduleInput): Promise<Schedule>;
  /** Its history stays as long as any. Throws `Conflict` where the code of a living worker defines it. */
  remove(name: string): Promise<void>;
  /** Its ticks are noted as skipped from now on. */
  pause(name: string): Promise<Schedule>;
  resume(name: string): Promise<Schedule>;
  /** Enqueues its job now, whatever is paused or runs. Resolves with the job's id. Throws `Conflict` where a live job holds the unique key of its options. */
  run(name: string): Promise<string>;
  /** What became of its ticks, newest first; also of a schedule that was removed. */
  history(name: string, page?: PageRequest): Promise<{ ticks: Tick[]; nextCursor: string | null }>;
}

export interface SchedulesOptions {
  database: Database;
  app: App;
  events: Events;
  outbox: Pick<Enqueuer, 'publish' | 'ready' | 'admit'>;
  /** Of encrypted job types. Defaults to no keys. */
  encryption?: Encryption | undefined;
}

export function createSchedules({ database, app, events, outbox, encryption }: SchedulesOptions): Schedules {
  const limits = new KnownLimits(app, (names) => database.query((sql) => findUnknownLimits(sql, names)));
  const find = async (name: string) => {
    const row = await database.query((sql) => findSchedule(sql, name));
    if (row === undefined) throw noSuchSchedule();
    return toSchedule(row);
  };
  const pause = async (name: string, paused: boolean) => {
    if (!(await database.query((sql) => pauseSchedule(sql, name, paused)))) throw noSuchSchedule();
    return await find(name);
  };
  return {
    find,
    pause: (name) => pause(name, true),
    resume: (name) => pause(name, false),
    list: async ({ limit = DEFAULT_PAGE, cursor: after = '' } = {}) => {
      const rows = await database.query((sql) => listSchedules(sql, { after, limit: limit + 1 }));
      const shown = rows.slice(0, limit);
      const schedules = await mapInSlices(shown, toSchedule);
      return { schedules, nextCursor: rows.length > limit ? (shown.at(-1)?.name ?? null) : null };
    },
    set: async (name, input) => {
      const now = await database.query(readClock);
      const schedule = await toDefinedSchedule(app, { ...input, name }, { nowMs: now.getTime(), encryption });
      await limits.assertKnown([schedule.job], '/options/limits'); // its jobs would not be limited at all
      const known = await database.query((sql) => findSchedule(sql, name));
      if (known !== undefined && known.app !== app.name)
        throw new Conflict('other_application', `application "${known.app}" has a schedule "${name}"`);
      await database.query((sql) => setSchedule(sql, { schedule }));
      return await find(name);
    },
    remove: async (name) => {
      if (await database.query((sql) => removeSchedule(sql, name))) return;
      await find(name);
      throw new Conflict(
        'defined_in_code',
        `the code of a living worker defines schedule "${name}": take it out there, or pause it`,
      );
    },
    run: (name) => runNow({ database, events, outbox }, name),
    history: async (name, { limit = DEFAULT_PAGE, cursor = END_OF_TIME } = {}) => {
      const before = parseCursor(cursor);
      const ticks = await database.query((sql) => findTicks(sql, name, { before, limit: limit + 1 }));
      if (ticks.length === 0) await find(name);
      const shown = ticks.slice(0, limit);
      return { ticks: shown, nextCursor: ticks.length > limit ? (shown.at(-1)?.cursor ?? null) : null };
    },
  };
}

async function runNow(
  { database, events, outbox }: Pick<SchedulesOptions, 'database' | 'events' | 'outbox'>,
  name: string,
): Promise<string> {
  const byRelay = !outbox.ready;
  const { id, job, state, heldFor } = await database.transaction(async (sql) => {
    const held = await holdSchedule(sql, name);
    if (held === undefined) throw noSuchSchedule();
    const asked = { schedule: name, tick: undefined, job: held.job };
    const [inserted] = await insertTraced([asked], (traced) => insertJobs(sql, traced, { byRelay }));
    if (inserted?.outcome !== 'inserted')
      throw new Conflict('unique_key_held', 'a live job holds the unique key of its options');
    await noteRunNow(sql, name, inserted.id);
    return { ...inserted, job: held.job };
  });
  const { type, queue, rare } = job;
  const isUrgent = (rare?.priority ?? 0) > 0;
  events.publish('job.enqueued', { type, queue, count: 1 });
  if (heldFor != null) outbox.admit([heldFor]);
  if (state === 'available') void outbox.publish([{ id, type, queue, fence: 0, isUrgent }]); // never throws; the relay repeats what fails
  return id;
}

function toSchedule({ nextTick, ...row }: ScheduleRow): Schedule {
  const { lastAt, lastUntil, lastOutcome, lastReason, lastJobId, lastDecidedAt, ...schedule } = row;
  return {
    ...schedule,
    next: nextTick === null ? [] : findNext(schedule, nextTick),
    lastTick:
      lastAt === null
        ? null
        : {
            at: lastAt,
            until: lastUntil,
            outcome: lastOutcome,
            reason: lastReason,
            jobId: lastJobId,
            decidedAt: lastDecidedAt,
          },
  };
}

function findNext(
  { cron, everyMs, at, timezone }: Pick<ScheduleRow, 'cron' | 'everyMs' | 'at' | 'timezone'>,
  nextTick: Date,
): Date[] {
  const times = scheduleTimes({
    cron: cron ?? undefined,
    everyMs: everyMs ?? undefined,
    at: at?.toISOString(),
    timezone,
  });
  const next: Date[] = [];
  for (
    let tick: number | null = nextTick.getTime();
    tick !== null && next.length < NEXT;
    tick = times.next(tick)
  )
    next.push(new Date(tick));
  return next;
}

function parseCursor(cursor: string): string {
  if (CURSOR.test(cursor) && !Number.isNaN(Date.parse(cursor))) return cursor;
  throw new InvalidInput('invalid_cursor', 'the cursor is none of ours', [
    { detail: 'is no cursor', pointer: '/cursor' },
  ]);
}

function noSuchSchedule(): NotFound {
  return new NotFound('there is no such schedule');
}
