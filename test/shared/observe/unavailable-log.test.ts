import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Events } from '../../../src/shared/observe/events.ts';
import type { Logger } from '../../../src/shared/observe/log.ts';
import { logUnavailable } from '../../../src/shared/observe/unavailable-log.ts';

const lines: { level: string; fields: Record<string, unknown> }[] = [];
const level = (name: string) => (fields: Record<string, unknown>) => {
  if (name !== 'debug') lines.push({ level: name, fields });
};
const log = Object.fromEntries(
  ['debug', 'info', 'warn'].map((name) => [name, level(name)]),
) as unknown as Logger;

const events = new Events();
let stop = () => {};

beforeEach(() => {
  vi.useFakeTimers();
  stop = logUnavailable(events, log, { quietMs: 10_000 });
});

afterEach(() => {
  stop();
  vi.useRealTimers();
  lines.length = 0;
});

const fail = (code: string) => events.publish('request.unavailable', { code, error: new Error('away') });

test('many requests that end in a 503 are one line when they begin and one when they are over', () => {
  for (let second = 0; second < 30; second += 1) {
    for (let n = 0; n < 100; n += 1) fail('postgres_unavailable');
    vi.advanceTimersByTime(1_000);
  }
  expect(lines).toEqual([{ level: 'warn', fields: { code: 'postgres_unavailable', error: 'Error: away' } }]);
  vi.advanceTimersByTime(10_000);
  expect(lines.slice(1)).toEqual([
    { level: 'info', fields: { code: 'postgres_unavailable', count: 3_000, seconds: 29 } },
  ]);
  fail('postgres_unavailable');
  expect(lines.slice(2)).toMatchObject([{ level: 'warn' }]);
});

test('each code has lines of its own', () => {
  fail('postgres_busy');
  fail('bodies_full');
  fail('postgres_busy');
  expect(lines.map(({ fields }) => fields['code'])).toEqual(['postgres_busy', 'bodies_full']);
});

test('nothing is logged after it was ended', () => {
  fail('postgres_busy');
  stop();
  fail('bodies_full');
  vi.advanceTimersByTime(60_000);
  expect(lines).toHaveLength(1);
});
