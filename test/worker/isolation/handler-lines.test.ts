import { expect, test } from 'vitest';
import { createLineSender, readLine } from '../../../src/worker/isolation/handler-lines.ts';
import type { Report } from '../../../src/worker/isolation/messages.ts';

const line = { jobId: '7', type: 'greet', attempt: 1, level: 'info', message: 'greeting' } as const;
const large = { ...line, details: { text: 'x'.repeat(300_000) } };

/** A channel whose reader takes nothing until it is released. */
function stuckChannel() {
  const reports: Report[] = [];
  const released = Promise.withResolvers<void>();
  const report = async (told: Report) => {
    reports.push(told);
    await released.promise;
  };
  return { reports, report, release: released.resolve };
}

test('a line arrives as it was sent', () => {
  const { reports, report } = stuckChannel();
  const { send } = createLineSender(report);
  const lines = [line, { ...line, traceparent: 'of the request', details: { name: 'Ada' } }];
  for (const each of lines) send(each);
  expect(reports.map((each) => each.kind === 'logged' && readLine(each.line))).toEqual(lines);
});

test('lines that nobody takes are dropped from a mebibyte on; how many is told when there is room again', async () => {
  const { reports, report, release } = stuckChannel();
  const { send } = createLineSender(report);
  for (let count = 0; count < 10; count += 1) send(large);
  expect(reports.map(({ kind }) => kind)).toEqual(['logged', 'logged', 'logged']);
  release();
  await new Promise(setImmediate);
  send(large);
  expect(reports.slice(3)).toEqual([
    { kind: 'dropped', lines: 7 },
    { kind: 'logged', line: JSON.stringify(large) },
  ]);
});

test('lines that were dropped can be told of at once, each once', async () => {
  const { reports, report, release } = stuckChannel();
  const { send, tellOfDropped } = createLineSender(report);
  for (let count = 0; count < 5; count += 1) send(large);
  const told = tellOfDropped();
  expect(reports.slice(3)).toEqual([{ kind: 'dropped', lines: 2 }]);
  release();
  await Promise.all([told, tellOfDropped()]);
  expect(reports).toHaveLength(4);
});
