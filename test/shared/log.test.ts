import { afterEach, expect, test, vi } from 'vitest';
import { publishEvent } from '../../src/shared/events.ts';
import type { Logger } from '../../src/shared/log.ts';
import { logEvents } from '../../src/shared/log.ts';

const lines: { level: string; fields: Record<string, unknown>; text: string }[] = [];
const level = (name: string) => (fields: Record<string, unknown>, text: string) =>
  lines.push({ level: name, fields, text });
const log = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((name) => [name, vi.fn(level(name))]),
) as unknown as Logger;

let stop = () => {};

afterEach(() => {
  stop();
  lines.length = 0;
});

test('of a write that is tried again and again the first and every tenth try are logged', () => {
  stop = logEvents(log);
  for (let retry = 1; retry <= 25; retry += 1)
    publishEvent('write.retried', { what: 'record', retry, error: new Error('away') });
  expect(lines.map(({ fields }) => fields['retry'])).toEqual([1, 10, 20]);
  expect(lines[0]).toMatchObject({ level: 'warn', fields: { what: 'record', error: 'Error: away' } });
});

test('a failed attempt is a warning with its error, a good one no more than a detail', () => {
  stop = logEvents(log);
  const message = {
    jobId: '7',
    type: 'a',
    queue: 'default',
    attempt: 1,
    outcome: 'retryable',
    durationMs: 1,
  };
  publishEvent('attempt.finished', { ...message, error: 'Error: no' });
  publishEvent('attempt.finished', { ...message, outcome: 'completed', error: undefined });
  expect(lines).toMatchObject([
    { level: 'warn', fields: { jobId: '7', error: 'Error: no' } },
    { level: 'debug', fields: { jobId: '7' } },
  ]);
});

test('nothing is logged after it was ended', () => {
  logEvents(log)();
  publishEvent('delivery.dead-lettered', { jobId: '7', queue: 'default', reason: 'no' });
  expect(lines).toEqual([]);
});
