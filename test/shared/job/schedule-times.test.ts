// The times of schedules, by an own reckoning of each zone: no time of this machine is asked for.
import { afterEach, describe, expect, test, vi } from 'vitest';
import { scheduleTimes } from '../../../src/shared/job/schedule-times.ts';

const ms = (text: string) => Date.parse(text);

/** The next ticks after a time, as the clock on the wall of the zone shows them, with its offset. */
function onTheWall(cron: string, timezone: string, after: string, count: number): string[] {
  const times = scheduleTimes({ cron, timezone });
  const format = new Intl.DateTimeFormat('sv-SE', {
    timeZone: timezone,
    dateStyle: 'short',
    timeStyle: 'medium',
    hourCycle: 'h23',
  });
  const offset = new Intl.DateTimeFormat('en', { timeZone: timezone, timeZoneName: 'longOffset' });
  const shown: string[] = [];
  for (let tick = times.next(ms(after)); tick !== null && shown.length < count; tick = times.next(tick)) {
    const zone = offset.formatToParts(tick).find(({ type }) => type === 'timeZoneName')?.value ?? '';
    shown.push(`${format.format(tick)} ${zone.replace('GMT', '')}`);
  }
  return shown;
}

describe('when the clock goes forward (Berlin, 29 March 2026, 2:00 becomes 3:00)', () => {
  const before = '2026-03-28T12:00:00Z';

  test('a fixed time that does not exist ticks at the end of the gap, on the same day', () => {
    expect(onTheWall('30 2 * * *', 'Europe/Berlin', before, 2)).toEqual([
      '2026-03-29 03:00:00 +02:00',
      '2026-03-30 02:30:00 +02:00',
    ]);
  });

  test('of a list of fixed times, two that meet there tick once', () => {
    expect(onTheWall('0 2,3 * * *', 'Europe/Berlin', before, 2)).toEqual([
      '2026-03-29 03:00:00 +02:00',
      '2026-03-30 02:00:00 +02:00',
    ]);
  });

  test('what comes every half hour goes on every half hour of real time', () => {
    expect(onTheWall('*/30 * * * *', 'Europe/Berlin', '2026-03-29T00:15:00Z', 3)).toEqual([
      '2026-03-29 01:30:00 +01:00',
      '2026-03-29 03:00:00 +02:00',
      '2026-03-29 03:30:00 +02:00',
    ]);
  });
});

describe('when the clock goes back (Berlin, 25 October 2026, 3:00 becomes 2:00)', () => {
  test('a fixed time that comes twice ticks once, at the first', () => {
    expect(onTheWall('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25 02:30:00 +02:00',
      '2026-10-26 02:30:00 +01:00',
    ]);
  });

  test('what comes every half hour ticks in both hours', () => {
    expect(onTheWall('*/30 * * * *', 'Europe/Berlin', '2026-10-24T23:45:00Z', 5)).toEqual([
      '2026-10-25 02:00:00 +02:00',
      '2026-10-25 02:30:00 +02:00',
      '2026-10-25 02:00:00 +01:00',
      '2026-10-25 02:30:00 +01:00',
      '2026-10-25 03:00:00 +01:00',
    ]);
  });

  test('a change of half an hour is no different (Lord Howe)', () => {
    expect(onTheWall('45 1 * * *', 'Australia/Lord_Howe', '2026-04-04T00:00:00Z', 2)).toEqual([
      '2026-04-05 01:45:00 +11:00',
      '2026-04-06 01:45:00 +10:30',
    ]);
  });
});

test('29 February comes in leap years, 30 February never', () => {
  expect(onTheWall('0 0 29 2 *', 'UTC', '2026-01-01T00:00:00Z', 3)).toEqual([
    '2028-02-29 00:00:00 +00:00',
    '2032-02-29 00:00:00 +00:00',
    '2036-02-29 00:00:00 +00:00',
  ]);
  expect(scheduleTimes({ cron: '0 0 30 2 *' }).next(ms('2026-01-01T00:00:00Z'))).toBeNull();
});

test('six fields begin with the seconds; the next tick is after the time, to the millisecond', () => {
  const times = scheduleTimes({ cron: '*/10 * * * * *' });
  expect(times.next(ms('2026-01-01T00:00:10.000Z'))).toBe(ms('2026-01-01T00:00:20Z'));
  expect(times.next(ms('2026-01-01T00:00:09.999Z'))).toBe(ms('2026-01-01T00:00:10Z'));
});

test.each([
  { cron: '*/30 * * * *', timezone: 'Europe/Berlin' },
  { cron: '30 2 * * *', timezone: 'Europe/Berlin' },
  { cron: '15,45 1,2 * * *', timezone: 'Australia/Lord_Howe' },
  { cron: '0 */7 * * *', timezone: 'America/New_York' },
  { cron: '0 9 * * MON#1', timezone: 'Asia/Kathmandu' },
  { everyMs: 5_400_000 },
])('the last ticks up to a time are those that came one after the other: %o', (timing) => {
  const times = scheduleTimes(timing);
  for (const [from, until] of [
    ['2026-03-27T00:00:00Z', '2026-04-08T03:30:00Z'],
    ['2026-10-23T00:00:00Z', '2026-11-03T02:30:00Z'],
  ] as const) {
    const forward: number[] = [];
    for (let tick = times.next(ms(from)); tick !== null && tick <= ms(until); tick = times.next(tick))
      forward.push(tick);
    expect(times.last(ms(until), forward.length)).toEqual(forward);
    const last = forward.at(-1) ?? 0;
    expect(times.last(last, 1)).toEqual([last]);
  }
});

test('every so many milliseconds is counted from 1970 on, so that all processes agree', () => {
  const times = scheduleTimes({ everyMs: 90_000 });
  expect(times.next(0)).toBe(90_000);
  expect(times.next(89_999)).toBe(90_000);
  expect(times.last(200_000, 2)).toEqual([90_000, 180_000]);
});

test('once is once', () => {
  const times = scheduleTimes({ at: '2026-06-01T10:00:00+02:00' });
  expect(times.next(ms('2026-06-01T07:59:59Z'))).toBe(ms('2026-06-01T08:00:00Z'));
  expect(times.next(ms('2026-06-01T08:00:00Z'))).toBeNull();
});

test.each([
  '0 0 1--100000000 * *',
  '0 0 1-100000000 * *',
  '*/0 * * * *',
  '*/-1 * * * *',
  '0 0 1/1e9 * *',
  '60 * * * *',
  '* * * *',
  '* * * * * * *',
  '2026-01-01T00:00:00Z',
  '@every 1s',
  '@reboot',
  '',
  '\u0000 * * * *',
  '1,'.repeat(1_000_000),
  '* '.repeat(1_000_000),
  `${'-'.repeat(180)} * * * *`,
])('a text of cron that is none is refused: %.30s', (cron) => {
  expect(() => scheduleTimes({ cron })).toThrow(RangeError);
});

test('a pattern that hardly ever comes, or never, is looked through in bounded time', () => {
  const startedAt = performance.now();
  for (const cron of ['59 59 23 29 2 +MON#5', '0 0 31 2,4,6,9,11 *', '0 0 0 30 2 *', '0 0 29 2 +SUN'])
    scheduleTimes({ cron }).next(ms('2026-01-01T00:00:00Z'));
  expect(performance.now() - startedAt).toBeLessThan(30_000);
});

afterEach(() => {
  vi.useRealTimers();
});

test('the clock of this process counts for nothing', () => {
  const timing = { cron: '0 12 * * *', timezone: 'Europe/Berlin' };
  const ask = () => {
    const times = scheduleTimes(timing);
    return [times.next(ms('2026-05-01T00:00:00Z')), ...times.last(ms('2026-05-01T00:00:00Z'), 3)];
  };
  const expected = ask();
  for (const wrong of ['2026-05-01T02:00:00Z', '1999-01-01T00:00:00Z', '2100-01-01T00:00:00Z']) {
    vi.useFakeTimers({ now: ms(wrong), toFake: ['Date'] });
    expect(ask()).toEqual(expected);
  }
});

test.each(['* * 2 25-31 3 +SUN#L', '* 2 25-31 3 +SUN#L', '0 0 1 * +MON#2'])(
  '%s, which never comes in Berlin, is found out about before an API would be taken for dead',
  (cron) => {
    expect(scheduleTimes({ cron, timezone: 'Europe/Berlin' }).next(Date.UTC(2026, 0, 1))).toBeNull();
  },
  20_000,
);

test('29 February on a Monday comes after eighteen years', () => {
  const next = scheduleTimes({ cron: '0 12 29 2 +MON' }).next(Date.UTC(2026, 0, 1));
  expect(next).toBe(Date.UTC(2044, 1, 29, 12));
});
