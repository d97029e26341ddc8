// Ctrl-C as it really arrives (terminal and npm both send it), and a second one: in a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

import { expect, test } from 'vitest';

const script = `
  import { handleStopSignals } from ${JSON.stringify(resolve(import.meta.dirname, '../../dev/stop-signals.ts'))};
  const { received } = handleStopSignals({ stopAtOnce: () => process.exit(3) });
  received.then((signal) => console.log('stopping ' + signal));
  process.on('SIGUSR2', () => process.exit(0));
  setTimeout(() => process.exit(9), 20_000);
  console.log('ready');`;

async function startListener() {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('ready');
  return { child, lines, exited: once(child, 'exit') };
}

test('the same signal twice within a second is one wish', async () => {
  const { child, lines, exited } = await startListener();
  child.kill('SIGINT');
  expect((await lines.next()).value).toBe('stopping SIGINT');
  child.kill('SIGINT');
  child.kill('SIGUSR2');
  expect(await exited).toEqual([0, null]);
});

test('a later second signal stops at once', async () => {
  const { child, lines, exited } = await startListener();
  child.kill('SIGTERM');
  expect((await lines.next()).value).toBe('stopping SIGTERM');
  // The one place where time itself is the behaviour: the second counts from when it is over.
  setTimeout(() => child.kill('SIGINT'), 1_200);
  expect(await exited).toEqual([3, null]);
});
