import { afterEach, expect, test, vi } from 'vitest';
import { Events } from '../../../src/shared/observe/events.ts';
import type { Logger } from '../../../src/shared/observe/log.ts';
import { logEvents } from '../../../src/shared/observe/log.ts';

const lines: { level: string; fields: Record<string, unknown>; text: string }[] = [];
const level = (name: string) => (fields: Record<string, unknown>, text: string) =>
  lines.push({ level: name, fields, text });
const log = Object.fromEntries(
  ['debug', 'info', 'warn', 'error'].map((name) => [name, vi.fn(level(name))]),
) as unknown as Logger;

const events = new Events();
let stop = () => {};

afterEach(() => {
  stop();
  lines.length = 0;
});

test('many writes that are tried again at once make one line of each kind', () => {
  stop = logEvents(events, log);
  for (let retry = 1; retry <= 25; retry += 1) {
    events.publish('write.retried', { what: 'record', retry, error: new Error('away') });
    events.publish('write.retried', { what: 'claim', retry, error: new Error('away') });
  }
  expect(lines).toMatchObject([
    { level: 'warn', fields: { what: 'record', error: 'Error: away' } },
    { level: 'warn', fields: { what: 'claim', error: 'Error: away' } },
  ]);
});

test('a chore that fails again and again is told of once, and when it goes on', () => {
  stop = logEvents(events, log);
  for (const failures of [1, 2, 3])
    events.publish('maintenance.failed', { task: 'relay', failures, error: new Error('away') });
  events.publish('maintenance.recovered', { task: 'relay', failures: 3 });
  const told = lines.filter(({ level: of }) => of !== 'debug');
  expect(told.map(({ text }) => text)).toEqual(['maintenance failed, trying again', 'maintenance goes on']);
});

test('a failed attempt is a warning with its error and its next time, a good one no more than a detail', () => {
  stop = logEvents(events, log);
  const message = {
    jobId: '7',
    type: 'a',
    queue: 'default',
    attempt: 1,
    outcome: 'retryable',
    durationMs: 1,
  };
  events.publish('attempt.finished', {
    ...message,
    error: 'Error: no',
    origin: { stack: 'at' },
    retryInMs: 1_000,
  });
  events.publish('attempt.finished', { ...message, outcome: 'completed', error: undefined });
  expect(lines).toMatchObject([
    {
      level: 'warn',
      fields: { jobId: '7', error: 'Error: no', stack: 'at', retryAt: expect.stringMatching(/T.*Z$/) },
    },
    { level: 'debug', fields: { jobId: '7' } },
  ]);
});

test('a job that is discarded is an error of its own, with the reason; its last attempt is no more than a detail', () => {
  stop = logEvents(events, log);
  const job = { jobId: '7', type: 'a', queue: 'default' };
  events.publish('attempt.finished', {
    ...job,
    attempt: 5,
    outcome: 'discarded',
    durationMs: 1,
    error: 'no',
  });
  events.publish('job.ended', {
    ...job,
    state: 'discarded',
    error: 'no',
    origin: { causes: [{ message: 'why' }] },
  });
  events.publish('job.ended', { ...job, state: 'completed', error: undefined });
  expect(lines.map(({ level: of }) => of)).toEqual(['debug', 'error', 'debug']);
  expect(lines[1]).toMatchObject({
    fields: { jobId: '7', type: 'a', error: 'no', causes: [{ message: 'why' }] },
    text: 'job discarded: it is not tried again',
  });
});

test('nothing is logged after it was ended', () => {
  logEvents(events, log)();
  events.publish('delivery.dead-lettered', { jobId: '7', queue: 'default', reason: 'no' });
  expect(lines).toEqual([]);
});

test('a job type that another application defines differently is warned of, with both definitions', () => {
  stop = logEvents(events, log);
  const differs = {
    type: 'greet',
    app: 'crm',
    here: 'queue "a", 5 attempts',
    there: 'queue "b", 5 attempts',
  };
  events.publish('type.differs', differs);
  const text = 'another application defines a job type of this name differently';
  expect(lines).toEqual([{ level: 'warn', fields: differs, text }]);
});

test('a dead worker whose jobs were taken over or given back is told as "worker": a line has its own "name"', () => {
  stop = logEvents(events, log);
  const dead = { owner: '3', name: 'worker@a:1', count: 2 };
  events.publish('owner.taken-over', { ...dead, ms: 12 });
  events.publish('owner.rescued', dead);
  const fields = { owner: '3', worker: 'worker@a:1', count: 2 };
  expect(lines.map((line) => line.fields)).toEqual([{ ...fields, ms: 12 }, fields]);
});

test('what a handler says is a line of its level, with its details or with the error and where that came from', () => {
  stop = logEvents(events, log);
  const line = { jobId: '7', type: 'a', attempt: 1 };
  events.publish('handler.logged', { ...line, level: 'info', message: 'found', details: { customer: 12 } });
  events.publish('handler.logged', {
    ...line,
    level: 'error',
    message: 'no answer',
    error: 'Error: no',
    origin: { stack: 'at' },
  });
  expect(lines).toEqual([
    { level: 'info', fields: { ...line, details: { customer: 12 } }, text: 'found' },
    { level: 'error', fields: { ...line, error: 'Error: no', stack: 'at' }, text: 'no answer' },
  ]);
});
