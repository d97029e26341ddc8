// What a second signal does to a program that takes its time to stop: in a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';

const source = (path: string) => JSON.stringify(resolve(import.meta.dirname, '../../../src/shared', path));

/** Its clock stands still, and its stop never ends. */
const script = `
  performance.now = () => 0;
  const { runProgram } = await import(${source('program/shutdown.ts')});
  const { Events } = await import(${source('observe/events.ts')});
  const { LogOutput } = await import(${source('observe/log-output.ts')});
  setTimeout(() => process.exit(9), 50_000);
  process.on('SIGUSR2', () => process.exit(7));
  const tell = (...told) => console.log(told.at(-1));
  const never = new Promise(() => {});
  await runProgram(async () => ({
    program: { start: async () => tell('ready'), failed: never, stop: () => never },
    log: { info: tell, warn: tell, error: tell, fatal: tell },
    output: new LogOutput(process.stderr, new Events()),
  }));`;

async function startStopping(signal: NodeJS.Signals) {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('ready');
  child.kill(signal);
  expect((await lines.next()).value).toBe('signal received');
  expect((await lines.next()).value).toBe('stopping');
  return { child, exited: once(child, 'exit') };
}

test('SIGINT twice at the same time is one wish: npm hands on what the terminal has sent', async () => {
  const { child, exited } = await startStopping('SIGINT');
  child.kill('SIGINT');
  child.kill('SIGUSR2');
  expect(await exited).toEqual([7, null]);
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s right after SIGTERM stops it at once', async (second) => {
  const { child, exited } = await startStopping('SIGTERM');
  child.kill(second);
  expect(await exited).toEqual([1, null]);
});
