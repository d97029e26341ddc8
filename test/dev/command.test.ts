// Short commands: their output, their failures and their deadline.
import { expect, test } from 'vitest';

import { runCommand } from '../../dev/command.ts';

test('hands back status and both outputs, and each line as it comes', async () => {
  const lines: string[] = [];
  const script = 'echo one; echo two >&2; exit 3';
  const result = await runCommand('sh', ['-c', script], {
    timeoutMs: 5_000,
    onLine: (line) => lines.push(line),
  });
  expect(result).toEqual({ status: 3, stdout: 'one', stderr: 'two' });
  expect(lines.toSorted()).toEqual(['one', 'two']);
});

test('a command that does not exist is status 127', async () => {
  expect((await runCommand('/does/not/exist', [], { timeoutMs: 5_000 })).status).toBe(127);
});

test('a command that hangs ends at the deadline, also when a grandchild holds its output open', async () => {
  const startedAt = performance.now();
  const result = await runCommand('sh', ['-c', 'sleep 5 & wait'], { timeoutMs: 100 });
  expect(result.status).toBe(124);
  expect(performance.now() - startedAt).toBeLessThan(3_000);
});
