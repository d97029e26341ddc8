// Schedules that code defines: told at the start of a worker, kept while a worker tells of them, and who wins where they were changed at run time.
import { expect, test } from 'vitest';
import type { ScheduleDefinition } from '../../src/index.ts';
import { defineSchedule } from '../../src/index.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Scheduled } from '../support/scheduled.ts';
import {
  HOURLY,
  history,
  hoursAgo,
  rewind,
  scheduledApp,
  startScheduled,
  tidy,
} from '../support/scheduled.ts';

type Options = Partial<ScheduleDefinition>;

const nightly = (options: Options = {}) =>
  defineSchedule({
    name: 'nightly',
    cron: '30 2 * * *',
    timezone: 'Europe/Berlin',
    job: tidy,
    args: { days: 30 },
    ...options,
  } as Parameters<typeof defineSchedule>[0]);

/** As though its worker had told of it long ago. */
async function toldLongAgo({ sql }: Scheduled): Promise<void> {
  await sql.query((query) => query`update warren.schedules set told_at = told_at - interval '1 hour'`);
}

test('a worker tells of the schedules in its code, and a job comes at each tick', async () => {
  const { work, sql } = await startScheduled();
  const { warren } = await work([
    nightly(),
    defineSchedule({ name: 'often', everyMs: 1_000, job: tidy, args: {} }),
  ]);
  expect(await warren.schedules.find('nightly')).toMatchObject({
    app: 'test',
    cron: '30 2 * * *',
    timezone: 'Europe/Berlin',
    args: { days: 30 },
    definedInCode: true,
  });
  const [tick] = await history(warren, 'often', (ticks) => ticks.some(({ jobId }) => jobId !== null));
  expect(tick).toBeDefined();
  const workers = await eventually(
    () =>
      sql.query(
        (query) => query<{ names: string[] }[]>`select to_json(schedules) as names from warren.workers`,
      ),
    ({ length }) => length === 1,
  );
  expect(workers[0]?.names).toEqual(['nightly', 'often']);
});

test('what was set and paused at run time outlives restarts; a changed definition wins for all but the pause', async () => {
  const { work } = await startScheduled();
  const first = await work([nightly()]);
  await first.warren.schedules.set('nightly', { cron: '0 4 * * *', type: 'tidy', args: { days: 1 } });
  await first.warren.schedules.pause('nightly');
  await first.worker.stop();
  const second = await work([nightly()]);
  expect(await second.warren.schedules.find('nightly')).toMatchObject({
    cron: '0 4 * * *',
    timezone: 'UTC',
    args: { days: 1 },
    paused: true,
    definedInCode: true,
  });
  await second.worker.stop();
  const third = await work([nightly({ args: { days: 60 } })]);
  expect(await third.warren.schedules.find('nightly')).toMatchObject({
    cron: '30 2 * * *',
    timezone: 'Europe/Berlin',
    args: { days: 60 },
    paused: true,
  });
});

test('a restart with the same definition neither loses nor repeats a tick', async () => {
  const { work, sql } = await startScheduled();
  const hourly = [
    defineSchedule({ name: 'hourly', cron: HOURLY, job: tidy, args: {}, catchUp: 'all', overlap: 'allow' }),
  ];
  const first = await work(hourly);
  await first.worker.stop();
  await rewind(sql, 'hourly', await hoursAgo(sql, 2));
  const second = await work(hourly);
  await history(second.warren, 'hourly', ({ length }) => length === 3);
  await second.worker.stop();
  const third = await work(hourly);
  const ticks = await history(third.warren, 'hourly', ({ length }) => length >= 3);
  expect(ticks.map(({ outcome }) => outcome)).toEqual(['enqueued', 'enqueued', 'enqueued']);
});

test('a schedule that is taken out of the code goes when no living worker tells of it, and its history stays', async () => {
  const scheduled = await startScheduled();
  const { work, sql } = scheduled;
  const old = await work([nightly()]);
  await old.warren.schedules.set('by-hand', { everyMs: 60_000, type: 'tidy', args: {} });
  const jobId = await old.warren.schedules.run('nightly');
  const next = await work([]);
  await toldLongAgo(scheduled);
  await expect(next.warren.schedules.remove('nightly')).rejects.toMatchObject({ code: 'defined_in_code' });
  using removed = listen(next.warren.events, 'schedule.removed');
  await old.worker.stop();
  await removed.first(({ schedule }) => schedule === 'nightly');
  await expect(next.warren.schedules.find('nightly')).rejects.toMatchObject({ name: 'NotFound' });
  expect((await next.warren.schedules.history('nightly')).ticks).toMatchObject([{ jobId }]);
  expect(await next.warren.schedules.find('by-hand')).toMatchObject({ definedInCode: false });
  const [row] = await sql.query((query) => query`select count(*)::int as count from warren.schedules`);
  expect(row).toEqual({ count: 1 });
});

test('while no worker of its application lives a schedule stays, though another application leads', async () => {
  const scheduled = await startScheduled();
  const { work, sql } = scheduled;
  const old = await work([nightly()]);
  await old.worker.stop();
  await toldLongAgo(scheduled);
  const other = await work([], 'other');
  await rewind(sql, 'nightly', await hoursAgo(sql, 1));
  const ticks = await history(other.warren, 'nightly', (ticks) =>
    ticks.some(({ outcome }) => outcome === 'enqueued'),
  );
  expect(ticks.filter(({ outcome }) => outcome === 'enqueued')).toHaveLength(1); // what the other application leads for it, its own workers will run
  await expect(
    other.warren.schedules.set('nightly', { everyMs: 60_000, type: 'tidy', args: {} }),
  ).rejects.toMatchObject({ name: 'Conflict', code: 'other_application' });
});

test('two applications whose workers live cannot have a schedule of one name', async () => {
  const { work, sql } = await startScheduled();
  await work([nightly()]);
  await eventually(
    () => sql.query((query) => query`select 1 from warren.workers where 'nightly' = any(schedules)`),
    ({ length }) => length === 1,
  );
  await expect(work([nightly()], 'other')).rejects.toMatchObject({
    name: 'Misconfigured',
    message: expect.stringContaining('application "test"'),
  });
});

test('a definition that is wrong keeps a worker from starting, and says why', async () => {
  const { work } = await startScheduled();
  for (const [options, problem] of [
    [{ cron: '*/0 * * * *' }, '/cron'],
    [{ timezone: 'Mars/Olympus' }, '/timezone is no time zone'],
    [{ args: { days: 'many' } }, '/args/days'],
    [{ options: { queue: 'nowhere' } }, '/options/queue'],
    [{ jitterMs: -1 }, '/jitterMs'],
  ] as [Options, string][])
    await expect(work([nightly(options)])).rejects.toMatchObject({
      name: 'Misconfigured',
      message: expect.stringContaining(problem),
    });
});

test('an application says at once what is wrong with the names of its schedules and their job types', () => {
  expect(() => scheduledApp([nightly({ name: 'Nightly!' })])).toThrow('"Nightly!" is no schedule name');
  expect(() => scheduledApp([nightly(), nightly()])).toThrow('schedule "nightly" stands twice');
  expect(() => scheduledApp([nightly({ job: { ...nightly().job, type: 'other' } })])).toThrow(
    'schedule "nightly" has job type "other", which the application has not',
  );
});
