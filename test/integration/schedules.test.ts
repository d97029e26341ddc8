// Schedules on real servers: each tick makes one job, and what becomes of the others is told.
import { expect, test } from 'vitest';
import type { Schedule, ScheduleInput, Warren } from '../../src/index.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { createPruner } from '../../src/worker/maintenance/pruner.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { HOURLY, history, hoursAgo, rewind, startScheduled } from '../support/scheduled.ts';

const hourly = { cron: HOURLY, type: 'tidy', args: {} } satisfies ScheduleInput;
const blocking = { ...hourly, args: { blocks: true } } satisfies ScheduleInput;

/** Of each tick its hour before this one, its outcome and why. */
function shown(
  ticks: Awaited<ReturnType<typeof history>>,
  thisHour: Date,
): [number, string, string | null][] {
  return ticks.map(({ at, outcome, reason }) => [
    (at.getTime() - thisHour.getTime()) / 3_600_000,
    outcome,
    reason,
  ]);
}

async function untilJob(warren: Warren, id: string | null | undefined, state: string) {
  return await eventually(
    () => warren.jobs.find(id ?? ''),
    (job) => job?.state === state,
  );
}

test('a schedule that is set at run time enqueues a job at each of its ticks', async () => {
  const { work } = await startScheduled();
  const { warren } = await work();
  const set = await warren.schedules.set('tidy-up', { cron: '* * * * * *', type: 'tidy', args: {} });
  expect(set).toMatchObject({
    name: 'tidy-up',
    app: 'test',
    timezone: 'UTC',
    args: { days: 7 }, // as the schema has made it
    overlap: 'skip',
    catchUp: 'last',
    paused: false,
    definedInCode: false,
    lastTick: null,
  });
  expect(set.next).toHaveLength(10);
  const ticks = await history(warren, 'tidy-up', ({ length }) => length >= 3);
  for (const [index, tick] of ticks.entries()) {
    expect(tick.at).toEqual(set.next[index]);
    if (tick.outcome !== 'enqueued') continue; // the machine stood still
    const job = await warren.jobs.wait(tick.jobId ?? '');
    expect(job).toMatchObject({ type: 'tidy', args: { days: 7 }, state: 'completed', runAt: tick.at });
  }
  expect(ticks.some(({ outcome }) => outcome === 'enqueued')).toBe(true);
});

test('the first schedule ticks in its time, although the leader looks for ticks rarely while there is none', async () => {
  const { work } = await startScheduled();
  const { warren } = await work();
  using ticked = listen(warren.events, 'schedule.ticked');
  await warren.schedules.set('soon', {
    at: new Date(Date.now() + 300).toISOString(),
    type: 'tidy',
    args: {},
  });
  const { lateMs } = await ticked.first(({ schedule }) => schedule === 'soon');
  expect(lateMs).toBeLessThan(3_000); // without the notice four to five seconds
});

test('every so many milliseconds, and once', async () => {
  const { work, sql } = await startScheduled();
  const { warren } = await work();
  await warren.schedules.set('often', { everyMs: 1_000, type: 'tidy', args: {}, overlap: 'allow' });
  const ticks = await history(warren, 'often', ({ length }) => length >= 2);
  for (const { at } of ticks) expect(at.getTime() % 1_000).toBe(0);
  const at = (await hoursAgo(sql, 1)).toISOString();
  const once: ScheduleInput = { at, type: 'tidy', args: {} };
  await warren.schedules.set('once', once);
  const [tick] = await history(warren, 'once', ({ length }) => length === 1);
  await warren.jobs.wait(tick?.jobId ?? '');
  const again = await warren.schedules.set('once', once);
  expect(again).toMatchObject({ next: [], lastTick: { outcome: 'enqueued', jobId: tick?.jobId } });
  await warren.schedules.remove('once');
  expect(await warren.schedules.set('once', once)).toMatchObject({ next: [] }); // its tick has been
  await warren.schedules.set('late', { ...once, catchUp: 'none' });
  expect(await history(warren, 'late', ({ length }) => length === 1)).toMatchObject([
    { outcome: 'missed', reason: 'outage', jobId: null },
  ]);
});

test.each([
  ['none', 'missed'],
  ['last', 'enqueued'],
] as const)(
  'after an outage %s of the ticks is caught up, and those that are missed are told',
  async (catchUp, last) => {
    const { work, sql } = await startScheduled();
    const { warren } = await work();
    using ticked = listen(warren.events, 'schedule.ticked');
    await warren.schedules.set('report', { ...hourly, catchUp });
    const thisHour = await hoursAgo(sql, 0);
    await rewind(sql, 'report', await hoursAgo(sql, 25));
    const ticks = await history(warren, 'report', ({ length }) => length >= 26);
    const reason = last === 'missed' ? 'outage' : null;
    expect(shown(ticks, thisHour).slice(0, 26)).toEqual([
      ...Array.from({ length: 25 }, (_, n) => [n - 25, 'missed', 'outage']),
      [0, last, reason],
    ]);
    await ticked.count(26, ({ schedule }) => schedule === 'report');
  },
);

test('after an outage all ticks are caught up, the last thousand at most', async () => {
  const { work, sql } = await startScheduled();
  const { warren } = await work();
  await warren.schedules.set('report', { ...hourly, catchUp: 'all', overlap: 'allow' });
  const thisHour = await hoursAgo(sql, 0);
  await rewind(sql, 'report', await hoursAgo(sql, 1_200));
  await eventually(
    () => sql.query((query) => query`select 1 from warren.jobs where type = 'tidy' and state = 'completed'`),
    ({ length }) => length >= 1_000,
  );
  const [first] = await sql.query(
    (query) => query<{ tick: Date; until: Date; reason: string }[]>`
      select tick, until, reason from warren.schedule_ticks order by tick limit 1`,
  );
  expect(first).toEqual({
    tick: await hoursAgo(sql, 1_200),
    until: new Date(thisHour.getTime() - 1_000 * 3_600_000),
    reason: 'beyond-catch-up',
  });
  const [jobs] = await sql.query(
    (query) =>
      query<
        { all: string; different: string }[]
      >`select count(*) as all, count(distinct run_at) as different from warren.jobs`,
  );
  expect(jobs).toEqual({ all: '1000', different: '1000' });
});

test('`skip` skips while a job of the schedule has not ended, and goes on when it has', async () => {
  const { work, sql } = await startScheduled();
  const { warren } = await work();
  await warren.schedules.set('slow', blocking);
  await rewind(sql, 'slow', await hoursAgo(sql, 2));
  const ticks = await history(warren, 'slow', ({ length }) => length >= 3);
  const running = await untilJob(warren, ticks[2]?.jobId, 'running');
  await sql.query((query) => query`delete from warren.schedule_ticks where job_id is null`);
  await rewind(sql, 'slow', await hoursAgo(sql, 1));
  const [skipped] = await history(warren, 'slow', ([tick]) => tick?.outcome === 'missed');
  expect(skipped).toMatchObject({ reason: 'outage', at: await hoursAgo(sql, 1) });
  await sql.query((query) => query`update warren.schedule_ticks set tick = tick - interval '10 hours'`);
  await rewind(sql, 'slow', await hoursAgo(sql, 0));
  const seen = await history(warren, 'slow', (now) => now.at(-1)?.at.getTime() === skippedAt(skipped?.at));
  expect(seen.at(-1)).toMatchObject({ outcome: 'skipped', reason: 'overlap', jobId: null });
  await warren.jobs.cancel(running?.id ?? '');
  await sql.query((query) => query`update warren.schedule_ticks set tick = tick - interval '10 hours'`);
  await rewind(sql, 'slow', await hoursAgo(sql, 0));
  const after = await history(warren, 'slow', (now) => now.at(-1)?.at.getTime() === skippedAt(skipped?.at));
  expect(after.at(-1)).toMatchObject({ outcome: 'enqueued' });
});

/** The hour after that one. */
function skippedAt(at: Date | undefined): number {
  return (at?.getTime() ?? 0) + 3_600_000;
}

test('`queue` lets each job wait until the one before has ended, in the order of their ticks', async () => {
  const { work, sql } = await startScheduled();
  const { warren } = await work();
  await warren.schedules.set('one-by-one', { ...blocking, overlap: 'queue', catchUp: 'all' });
  await rewind(sql, 'one-by-one', await hoursAgo(sql, 2));
  const ticks = await history(warren, 'one-by-one', ({ length }) => length >= 3);
  const [first, second, third] = ticks.map(({ jobId }) => jobId ?? '');
  const states = async () =>
    await Promise.all([first, second, third].map(async (id) => (await warren.jobs.find(id ?? ''))?.state));
  await untilJob(warren, first, 'running');
  expect(await states()).toEqual(['running', 'held', 'held']);
  await warren.jobs.cancel(first ?? '');
  await untilJob(warren, second, 'running');
  expect(await states()).toEqual(['cancelled', 'running', 'held']);
  await warren.jobs.cancel(second ?? '');
  await untilJob(warren, third, 'running');
});

test('`cancel-previous` cancels the job of the schedule before, and tells of it', async () => {
  const { work, sql } = await startScheduled();
  const { warren } = await work();
  await warren.schedules.set('newest', { ...blocking, overlap: 'cancel-previous' });
  await rewind(sql, 'newest', await hoursAgo(sql, 2));
  const first = (await history(warren, 'newest', ({ length }) => length >= 3))[2];
  await untilJob(warren, first?.jobId, 'running');
  await sql.query((query) => query`update warren.schedule_ticks set tick = tick - interval '10 hours'`);
  await rewind(sql, 'newest', await hoursAgo(sql, 0));
  await untilJob(warren, first?.jobId, 'cancelled');
  const second = (await history(warren, 'newest', ({ length }) => length >= 4))[3];
  await untilJob(warren, second?.jobId, 'running');
});

test('a paused schedule skips its ticks and says so, goes on where it is resumed, and runs when it is asked to', async () => {
  const { work, sql } = await startScheduled();
  const { warren } = await work();
  await warren.schedules.set('report', { ...hourly, catchUp: 'all' });
  expect(await warren.schedules.pause('report')).toMatchObject({ paused: true });
  await warren.schedules.set('report', { ...hourly, catchUp: 'all', jitterMs: 1 });
  await rewind(sql, 'report', await hoursAgo(sql, 1));
  const skipped = await history(warren, 'report', ({ length }) => length >= 2);
  expect(skipped).toMatchObject([
    { outcome: 'skipped', reason: 'paused' },
    { outcome: 'skipped', reason: 'paused' },
  ]);
  const jobId = await warren.schedules.run('report');
  expect(await warren.jobs.wait(jobId)).toMatchObject({ type: 'tidy', state: 'completed' });
  const { ticks } = await warren.schedules.history('report');
  expect(ticks[0]).toMatchObject({ outcome: 'enqueued', reason: 'run-now', jobId });
  const resumed: Schedule = await warren.schedules.resume('report');
  expect(resumed).toMatchObject({ paused: false, lastTick: { reason: 'run-now' } });
  await sql.query((query) => query`update warren.schedule_ticks set tick = tick - interval '10 hours'`);
  await rewind(sql, 'report', await hoursAgo(sql, 0));
  await history(warren, 'report', (now) => now.at(-1)?.reason === null);
});

test('jitter moves the job, not the tick', async () => {
  const { work, sql } = await startScheduled();
  const { warren } = await work();
  await warren.schedules.set('spread', { ...hourly, catchUp: 'all', overlap: 'allow', jitterMs: 3_600_000 });
  await rewind(sql, 'spread', await hoursAgo(sql, 20));
  const ticks = await history(warren, 'spread', ({ length }) => length >= 21);
  const late = await Promise.all(
    ticks.slice(0, 21).map(async ({ at, jobId }) => {
      const job = await warren.jobs.find(jobId ?? '');
      return (job?.runAt.getTime() ?? 0) - at.getTime();
    }),
  );
  expect(new Set(late).size).toBeGreaterThan(15);
  expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...late)).toBeLessThanOrEqual(3_600_000);
});

test('a tick whose unique key a live job holds is skipped for it', async () => {
  const { work, sql } = await startScheduled();
  const { warren } = await work();
  await warren.schedules.set('keyed', {
    ...blocking,
    overlap: 'allow',
    catchUp: 'all',
    options: { uniqueKey: 'one' },
  });
  await rewind(sql, 'keyed', await hoursAgo(sql, 1));
  const ticks = await history(warren, 'keyed', ({ length }) => length >= 2);
  expect(ticks.map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ['enqueued', null],
    ['skipped', 'unique-key'],
  ]);
  await expect(warren.schedules.run('keyed')).rejects.toMatchObject({
    name: 'Conflict',
    code: 'unique_key_held',
  });
});

test('other times begin anew, and what was due by the former is named as missed', async () => {
  const { open, sql } = await startScheduled();
  const warren = open();
  await warren.start(); // no worker: nobody decides
  await warren.schedules.set('report', hourly);
  await rewind(sql, 'report', await hoursAgo(sql, 3));
  const changed = await warren.schedules.set('report', { ...hourly, cron: '*/20 * * * *' });
  expect((changed.next[0]?.getUTCMinutes() ?? 1) % 20).toBe(0);
  expect(changed.lastTick).toMatchObject({
    at: await hoursAgo(sql, 3),
    outcome: 'missed',
    reason: 'redefined',
  });
  const same = await warren.schedules.set('report', { ...hourly, cron: '*/20 * * * *', args: { days: 1 } });
  expect(same).toMatchObject({ next: changed.next, args: { days: 1 } });
});

test('the history is kept as long as the jobs that are kept longest', async () => {
  const { open, sql } = await startScheduled();
  const warren = open();
  await warren.start();
  await warren.schedules.set('report', hourly);
  await sql.query(
    (query) => query`
      insert into warren.schedule_ticks (schedule, tick, outcome, decided_at)
      select 'report', now() - days * interval '1 day', 'missed', now() - days * interval '1 day' from unnest(array[1, 3, 5]) as days`,
  );
  const day = 86_400_000;
  const parts = { database: sql, events: new Events(), idempotencyKeyMs: day };
  const left = async (discarded: number | null) => {
    await createPruner({
      ...parts,
      onFreed: () => {},
      retention: { completed: day / 2, cancelled: day, discarded },
    })();
    return (await warren.schedules.history('report')).ticks.length;
  };
  expect(await left(null)).toBe(3);
  expect(await left(4 * day)).toBe(2);
  expect(await left(2 * day)).toBe(1);
});
