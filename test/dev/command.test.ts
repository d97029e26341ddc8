// Short commands: their output, their failures and their deadline.
import { expect, test } from 'vitest';

import { runCommand } from '../../dev/command.ts';
import { HANG_MS } from '../support/eventually.ts';

test('hands back status and both outputs, and each line as it comes', async () => {
  const lines: string[] = [];
  const script = 'echo one; echo two >&2; exit 3';
  const result = await runCommand('sh', ['-c', script], {
    timeoutMs: HANG_MS,
    onLine: (line) => lines.push(line),
  });
  expect(result).toEqual({ status: 3, stdout: 'one', stderr: 'two' });
  expect(lines.toSorted()).toEqual(['one', 'two']);
});

test('a command that does not exist is status 127', async () => {
  expect((await runCommand('/does/not/exist', [], { timeoutMs: HANG_MS })).status).toBe(127);
});

test('a command that hangs ends at the deadline, also when a grandchild holds its output open', async () => {
  // To wait for the end of the grandchild would take longer than the test may.
  const result = await runCommand('sh', ['-c', 'sleep 300 & echo $!; wait'], { timeoutMs: 2_000 });
  expect(result.status).toBe(124);
  process.kill(Number(result.stdout));
});
