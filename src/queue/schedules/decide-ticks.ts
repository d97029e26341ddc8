/**
 * Decides the ticks that are due, and enqueues their jobs: one round for many schedules, in one transaction.
 *
 * Guarantees: a tick and its job are committed together, once, whoever else decides at the same time; jobs are published after the commit, by the relay
 * where this process dies before. Knows no clock but the database's.
 */
import type { Publishable } from '#shared/job/publishable.ts';
import { scheduleTimes } from '#shared/job/schedule-times.ts';
import type { Events } from '#shared/observe/events.ts';
import { publishJobEnd } from '#shared/observe/job-end.ts';
import type { Database, Sql } from '#shared/postgres/database.ts';
import { cancelJob } from '#shared/postgres/statements/control.ts';
import { insertJobs } from '#shared/postgres/statements/insert.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';
import type {
  DecidedTick,
  DueScheduleRow,
  OpenJob,
  TickJob,
  TickMove,
} from '#shared/postgres/statements/schedule-ticks.ts';
import {
  findDueSchedules,
  findOpenJobs,
  insertTicks,
  moveToNextTick,
  noteTickJobs,
} from '#shared/postgres/statements/schedule-ticks.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import { publishAndMark } from '../outbox.ts';
import { letInByOverlap } from './overlap.ts';
import type { TickPlan } from './plan-ticks.ts';
import { MAX_TICKS, planTicks } from './plan-ticks.ts';
import type { JobOfSchedule } from './tick-span.ts';
import { insertTraced } from './tick-span.ts';

/** Schedules of a round; fewer where they have many ticks. */
const AT_ONCE = 100;

export interface TickerParts {
  database: Pick<Database, 'query' | 'transaction'>;
  publisher: () => Publisher;
  events: Events;
  /** Told of the gates at which jobs wait from now on. */
  onHeld: (gates: readonly string[]) => void;
}

interface Planned {
  row: DueScheduleRow;
  plan: TickPlan;
}

/** What a round has committed. */
interface Committed {
  ticks: { tick: DecidedTick; lateMs: number }[];
  /** Jobs that were inserted, whether they are due already or not. */
  inserted: (Publishable & { isDue: boolean; gate: string | null })[];
  cancelled: Publishable[];
}

/** Resolves with how many ticks it has decided; 0 where none is due, or somebody else decides what is. */
export async function decideTicks(parts: TickerParts): Promise<number> {
  const { database, publisher, events, onHeld } = parts;
  const due = await database.query((sql) => findDueSchedules(sql, AT_ONCE));
  const planned = planRound(due);
  if (planned.length === 0) return 0;
  const target = publisher();
  const byRelay = !target.ready;
  const committed = await database.transaction((sql) => commitRound(sql, planned, byRelay));
  tell(events, committed);
  onHeld(committed.inserted.flatMap(({ gate }) => gate ?? []));
  if (!byRelay)
    await publishAndMark(
      { database, publisher: target },
      committed.inserted.filter(({ isDue }) => isDue),
    );
  return committed.ticks.length;
}

/** As many as have a thousand ticks together, at least one. */
function planRound(due: readonly DueScheduleRow[]): Planned[] {
  const planned: Planned[] = [];
  let ticks = 0;
  for (const row of due) {
    const plan = planTicks(toDue(row), row.now.getTime());
    ticks += plan.ticks.length;
    if (planned.length > 0 && ticks > MAX_TICKS) break;
    planned.push({ row, plan });
  }
  return planned;
}

function toDue({ cron, everyMs, at, timezone, nextTick, ...rest }: DueScheduleRow) {
  const times = scheduleTimes({
    cron: cron ?? undefined,
    everyMs: everyMs ?? undefined,
    at: at?.toISOString(),
    timezone,
  });
  return { ...rest, times, nextTickMs: nextTick.getTime() };
}

async function commitRound(sql: Sql, planned: readonly Planned[], byRelay: boolean): Promise<Committed> {
  const moved = new Set(await moveToNextTick(sql, planned.map(toMove)));
  const held = planned.filter(({ row }) => moved.has(row.name));
  if (held.length === 0) return { ticks: [], inserted: [], cancelled: [] };
  const open = Map.groupBy(await findOpenJobs(sql, [...moved]), ({ schedule }) => schedule);
  const decided = held.flatMap(({ row, plan }) => {
    const ticks = letInByOverlap(row.overlap, plan.ticks, open.get(row.name)?.length ?? 0);
    return ticks.map(({ tickMs, untilMs, not }) => ({
      row,
      tickMs,
      tick: {
        schedule: row.name,
        tick: new Date(tickMs).toISOString(),
        until: untilMs === undefined ? null : new Date(untilMs).toISOString(),
        outcome: not?.outcome ?? 'enqueued',
        reason: not?.reason ?? null,
      } satisfies DecidedTick,
    }));
  });
  const noted = new Set(
    (
      await insertTicks(
        sql,
        decided.map(({ tick }) => tick),
      )
    ).map(keyOf),
  );
  const fresh = decided.filter(({ tick }) => noted.has(keyOf(tick)));
  const enqueued = fresh.filter(({ tick }) => tick.outcome === 'enqueued');
  const cancelled = await cancelPrevious(sql, enqueued, open);
  const { inserted, tickJobs } = await enqueue(sql, enqueued, byRelay);
  const outcomes = new Map(tickJobs.map((job) => [keyOf(job), job]));
  return {
    ticks: fresh.map(({ tick, row, tickMs }) => {
      const { outcome, reason } = outcomes.get(keyOf(tick)) ?? tick;
      return { tick: { ...tick, outcome, reason }, lateMs: row.now.getTime() - tickMs };
    }),
    inserted,
    cancelled,
  };
}

function toMove({ row, plan }: Planned): TickMove {
  const { name, revision, nextTick } = row;
  const to = plan.nextTickMs === null ? null : new Date(plan.nextTickMs).toISOString();
  return { name, revision, from: nextTick.toISOString(), to };
}

interface Decided {
  row: DueScheduleRow;
  tickMs: number;
  tick: DecidedTick;
}

/** Running jobs are asked to let go, and may still run when the next one starts. Returns those that have ended by it. */
async function cancelPrevious(
  sql: Sql,
  enqueued: readonly Decided[],
  open: ReadonlyMap<string, readonly OpenJob[]>,
): Promise<Publishable[]> {
  const cancelled: Publishable[] = [];
  for (const { row } of enqueued) {
    if (row.overlap !== 'cancel-previous') continue;
    for (const { jobId } of open.get(row.name) ?? []) {
      const { type, queue } = row.job;
      if ((await cancelJob(sql, jobId)) === 'cancelled') cancelled.push({ id: jobId, type, queue, fence: 0 });
    }
  }
  return cancelled;
}

async function enqueue(
  sql: Sql,
  enqueued: readonly Decided[],
  byRelay: boolean,
): Promise<{ inserted: Committed['inserted']; tickJobs: TickJob[] }> {
  if (enqueued.length === 0) return { inserted: [], tickJobs: [] };
  const jobs = enqueued.map(({ row, tickMs, tick }) => ({
    schedule: row.name,
    tick: tick.tick,
    job: toNewJob(row, tickMs),
  }));
  const rows = await insertTraced(jobs, (traced) => insertJobs(sql, traced, { byRelay }));
  const inserted: Committed['inserted'] = [];
  const tickJobs = rows.map(({ id, outcome, state, heldFor }, index): TickJob => {
    const { tick } = enqueued[index] as Decided;
    const { type, queue } = (jobs[index] as JobOfSchedule).job;
    if (outcome === 'inserted')
      inserted.push({ id, type, queue, fence: 0, isDue: state === 'available', gate: heldFor ?? null });
    const { schedule, tick: at } = tick;
    return outcome === 'inserted'
      ? { schedule, tick: at, jobId: id, outcome: 'enqueued', reason: null }
      : { schedule, tick: at, jobId: null, outcome: 'skipped', reason: 'unique-key' };
  });
  await noteTickJobs(sql, tickJobs);
  return { inserted, tickJobs };
}

/** Due at its tick, or a little later by chance. */
function toNewJob({ job, jitterMs }: DueScheduleRow, tickMs: number): NewJob {
  return { ...job, runAt: new Date(tickMs + Math.random() * jitterMs).toISOString() };
}

function keyOf({ schedule, tick }: { schedule: string; tick: Date | string }): string {
  return `${schedule} ${tick instanceof Date ? tick.toISOString() : tick}`;
}

function tell(events: Events, { ticks, inserted, cancelled }: Committed): void {
  for (const job of cancelled) publishJobEnd(events, job, { state: 'cancelled' });
  for (const { type, queue } of inserted) events.publish('job.enqueued', { type, queue, count: 1 });
  for (const { tick, lateMs } of ticks) {
    const { schedule, tick: at, until, outcome, reason } = tick;
    events.publish('schedule.ticked', { schedule, tick: at, until, outcome, reason, lateMs });
  }
}
