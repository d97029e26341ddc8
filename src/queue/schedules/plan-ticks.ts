/**
 * What is to become of the ticks of a schedule that are due. Pure: times are epoch milliseconds of the database's clock.
 *
 * Guarantees: every tick up to now is named, by itself or, beyond the last thousand, within one row that says from when to when; at most a thousand are
 * looked at one by one, however long nobody led.
 */
import type { CatchUp, Overlap, TickReason } from '#shared/job/schedule.ts';
import type { ScheduleTimes } from '#shared/job/schedule-times.ts';

/** Ticks of one schedule that are decided one by one at a time. */
export const MAX_TICKS = 1_000;
/** So late the last tick still counts as in time, where others that were missed are not caught up: a new leader takes some seconds. */
export const IN_TIME_MS = 30_000;

export interface DueSchedule {
  times: ScheduleTimes;
  /** The first tick that nobody has decided. */
  nextTickMs: number;
  overlap: Overlap;
  catchUp: CatchUp;
  paused: boolean;
}

export interface PlannedTick {
  tickMs: number;
  /** The last of those for which the row stands, where they are many. */
  untilMs?: number;
  /** Undefined: it is to be enqueued. */
  not?: { outcome: 'skipped' | 'missed'; reason: TickReason };
}

export interface TickPlan {
  /** Oldest first. */
  ticks: PlannedTick[];
  /** Null: none will come. */
  nextTickMs: number | null;
}

export function planTicks(schedule: DueSchedule, nowMs: number): TickPlan {
  const { times, nextTickMs } = schedule;
  const { due, beyond } = findDue(schedule, nowMs);
  return {
    ticks: [...beyond, ...decide(schedule, due, nowMs)],
    nextTickMs: times.next(Math.max(nowMs, due.at(-1) ?? nextTickMs)),
  };
}

/** The ticks from the next one up to now; of more than a thousand the last. */
function findDue(
  { times, nextTickMs }: DueSchedule,
  nowMs: number,
): { due: number[]; beyond: PlannedTick[] } {
  const due: number[] = [];
  for (let tick: number | null = nextTickMs; tick !== null && tick <= nowMs; tick = times.next(tick)) {
    if (due.length === MAX_TICKS) return lastDue(times, { nextTickMs, nowMs });
    due.push(tick);
  }
  return { due, beyond: [] };
}

function lastDue(
  times: ScheduleTimes,
  { nextTickMs, nowMs }: { nextTickMs: number; nowMs: number },
): { due: number[]; beyond: PlannedTick[] } {
  const [lastBeyond = nextTickMs, ...due] = times.last(nowMs, MAX_TICKS + 1);
  return {
    due,
    beyond: [
      {
        tickMs: nextTickMs,
        untilMs: lastBeyond,
        not: { outcome: 'missed', reason: 'beyond-catch-up' },
      },
    ],
  };
}

function decide(
  { catchUp, overlap, paused }: DueSchedule,
  due: readonly number[],
  nowMs: number,
): PlannedTick[] {
  return due.map((tickMs, index) => {
    if (paused) return { tickMs, not: { outcome: 'skipped', reason: 'paused' } };
    const isLast = index === due.length - 1;
    if (catchUp !== 'all' && !isLast) return { tickMs, not: { outcome: 'missed', reason: 'outage' } };
    if (catchUp === 'none' && nowMs - tickMs > IN_TIME_MS)
      return { tickMs, not: { outcome: 'missed', reason: 'outage' } };
    if (overlap === 'cancel-previous' && !isLast)
      return { tickMs, not: { outcome: 'skipped', reason: 'superseded' } };
    return { tickMs };
  });
}
