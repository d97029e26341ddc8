// Ctrl-C as it really arrives (terminal and npm both send it), and a second one: in a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

import { expect, test } from 'vitest';

/** Its clock stands still but for what is written to its input. */
const script = `
  let now = 0;
  performance.now = () => now;
  process.stdin.on('data', (text) => {
    now = Number(text);
    console.log('it is ' + now);
  });
  import { handleStopSignals } from ${JSON.stringify(resolve(import.meta.dirname, '../../dev/stop-signals.ts'))};
  const { received } = handleStopSignals({ stopAtOnce: () => process.exit(3) });
  received.then((signal) => console.log('stopping ' + signal));
  process.on('SIGUSR2', () => process.exit(0));
  setTimeout(() => process.exit(9), 50_000);
  console.log('ready');`;

async function startListener() {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
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
  child.stdin.write('1001');
  expect((await lines.next()).value).toBe('it is 1001');
  child.kill('SIGINT');
  expect(await exited).toEqual([3, null]);
});
