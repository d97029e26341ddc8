// What the start command shows: log lines and the table of the demonstration's jobs.
import { expect, test } from 'vitest';

import { formatTable } from '../../dev/start/demonstration.ts';
import { formatLogLine } from '../../dev/start/log-lines.ts';

const time = new Date(2026, 10, 20, 12, 3, 4);

test('a JSON line becomes time, program, level, message and details', () => {
  const line = JSON.stringify({
    level: 30,
    time: time.getTime(),
    pid: 1,
    hostname: 'h',
    msg: 'listening',
    port: 3000,
    note: 'two words',
    job: { id: '7' },
  });
  expect(formatLogLine('api', line)).toBe(
    '12:03:04 api      info  listening port=3000 note="two words" job={"id":"7"}',
  );
});

test.each(['plain text', '{ not json'])('%s is shown as it is', (line) => {
  expect(formatLogLine('worker-1', line, () => time)).toBe(`12:03:04 worker-1 ${line}`);
});

test('the table shows every job with its time from enqueue to finish, or what went wrong', () => {
  const job = { type: 'process-order', attempt: 1, createdAt: '2026-11-20T12:00:00.000Z', errors: [] };
  const table = formatTable([
    { ...job, id: '1', state: 'completed', finishedAt: '2026-11-20T12:00:00.042Z' },
    {
      ...job,
      id: '22',
      state: 'retryable',
      attempt: 2,
      finishedAt: null,
      errors: [
        { attempt: 1, message: 'refused' },
        { attempt: 2, message: 'too late' },
      ],
    },
  ]);
  expect(table.split('\n')).toEqual([
    '  id  type           state      attempt  enqueue to finish  errors',
    '  1   process-order  completed  1        42 ms',
    '  22  process-order  retryable  2        -                  attempt 1: refused; attempt 2: too late',
  ]);
});
