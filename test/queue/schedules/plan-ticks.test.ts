import { expect, test } from 'vitest';
import { letInByOverlap } from '../../../src/queue/schedules/overlap.ts';
import type { DueSchedule, PlannedTick } from '../../../src/queue/schedules/plan-ticks.ts';
import { IN_TIME_MS, MAX_TICKS, planTicks } from '../../../src/queue/schedules/plan-ticks.ts';
import { scheduleTimes } from '../../../src/shared/job/schedule-times.ts';

const SECOND = 1_000;
const FROM = Date.parse('2026-05-01T00:00:00Z');

function due(options: Partial<DueSchedule> = {}): DueSchedule {
  return {
    times: scheduleTimes({ everyMs: SECOND }),
    nextTickMs: FROM,
    overlap: 'allow',
    catchUp: 'last',
    paused: false,
    ...options,
  };
}

/** `[seconds from the first, reason]`, no reason where it is to be enqueued. */
function shown(ticks: readonly PlannedTick[]): [number, string?][] {
  return ticks.map(({ tickMs, not }) => {
    const seconds = (tickMs - FROM) / SECOND;
    return not === undefined ? [seconds] : [seconds, not.reason];
  });
}

test('a tick that is decided a little late is enqueued, and the next one comes after it', () => {
  for (const catchUp of ['none', 'last', 'all'] as const) {
    const plan = planTicks(due({ catchUp }), FROM + 20);
    expect(shown(plan.ticks)).toEqual([[0]]);
    expect(plan.nextTickMs).toBe(FROM + SECOND);
  }
});

test('after an outage `none` enqueues none, `last` the last tick, `all` each', () => {
  const now = FROM + 2 * SECOND + IN_TIME_MS;
  const rare = scheduleTimes({ cron: '0,1,2 0 * * * *' });
  const plan = (catchUp: DueSchedule['catchUp']) =>
    shown(planTicks(due({ times: rare, catchUp }), now + 1).ticks);
  expect(plan('none')).toEqual([
    [0, 'outage'],
    [1, 'outage'],
    [2, 'outage'],
  ]);
  expect(plan('last')).toEqual([[0, 'outage'], [1, 'outage'], [2]]);
  expect(plan('all')).toEqual([[0], [1], [2]]);
});

test('a change of leaders is no outage: with `none`, too, the last tick is enqueued', () => {
  expect(shown(planTicks(due({ catchUp: 'none' }), FROM + 2_500).ticks)).toEqual([
    [0, 'outage'],
    [1, 'outage'],
    [2],
  ]);
});

test('of more than a thousand ticks the last thousand are decided, the others are named in one', () => {
  const days = 30 * 86_400;
  const plan = planTicks(due({ catchUp: 'all' }), FROM + days * SECOND + 1);
  expect(plan.ticks[0]).toEqual({
    tickMs: FROM,
    untilMs: FROM + (days - MAX_TICKS) * SECOND,
    not: { outcome: 'missed', reason: 'beyond-catch-up' },
  });
  expect(plan.ticks).toHaveLength(1 + MAX_TICKS);
  expect(plan.ticks.slice(1).every(({ not }) => not === undefined)).toBe(true);
  expect(plan.ticks[1]?.tickMs).toBe(FROM + (days - MAX_TICKS + 1) * SECOND);
  expect(plan.nextTickMs).toBe(FROM + (days + 1) * SECOND);
});

test('exactly a thousand are decided one by one', () => {
  const plan = planTicks(due({ catchUp: 'all' }), FROM + (MAX_TICKS - 1) * SECOND);
  expect(plan.ticks).toHaveLength(MAX_TICKS);
  expect(plan.ticks.some(({ untilMs }) => untilMs !== undefined)).toBe(false);
});

test('while it is paused every tick is skipped, whatever is caught up', () => {
  const plan = planTicks(due({ paused: true, catchUp: 'all' }), FROM + 1_500);
  expect(shown(plan.ticks)).toEqual([
    [0, 'paused'],
    [1, 'paused'],
  ]);
});

test('where each would cancel the one before, only the last is enqueued', () => {
  const plan = planTicks(due({ catchUp: 'all', overlap: 'cancel-previous' }), FROM + 2_000);
  expect(shown(plan.ticks)).toEqual([[0, 'superseded'], [1, 'superseded'], [2]]);
});

test('after its only tick nothing comes', () => {
  const times = scheduleTimes({ at: '2026-05-01T00:00:00Z' });
  expect(planTicks(due({ times }), FROM + 5)).toEqual({ ticks: [{ tickMs: FROM }], nextTickMs: null });
});

test('`skip` lets one in where no job is there, `queue` up to a thousand, the others all', () => {
  const ticks: PlannedTick[] = [{ tickMs: FROM }, { tickMs: FROM + SECOND }];
  expect(shown(letInByOverlap('skip', ticks, 0))).toEqual([[0], [1, 'overlap']]);
  expect(shown(letInByOverlap('skip', ticks, 1))).toEqual([
    [0, 'overlap'],
    [1, 'overlap'],
  ]);
  expect(shown(letInByOverlap('queue', ticks, 999))).toEqual([[0], [1, 'overlap']]);
  expect(shown(letInByOverlap('allow', ticks, 5_000))).toEqual([[0], [1]]);
  expect(shown(letInByOverlap('cancel-previous', ticks, 5_000))).toEqual([[0], [1]]);
});

test('what is missed already takes no room', () => {
  const missed: PlannedTick = { tickMs: FROM, not: { outcome: 'missed', reason: 'outage' } };
  expect(shown(letInByOverlap('skip', [missed, { tickMs: FROM + SECOND }], 0))).toEqual([[0, 'outage'], [1]]);
});
