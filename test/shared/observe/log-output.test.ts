import type { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { Events } from '../../../src/shared/observe/events.ts';
import { createLogger } from '../../../src/shared/observe/log.ts';
import { LogOutput } from '../../../src/shared/observe/log-output.ts';
import { listen } from '../../support/events.ts';

/** Longer than any test may run. */
const HANG_MS = 600_000;

const events = new Events();

type Done = (error?: Error) => void;

/** What a process's standard output is to a log, under the test's control. A real one too goes on after an error. */
class Outlet {
  readonly taken: string[] = [];
  writableLength = 0;
  failure: Error | undefined;
  isStuck = false;
  readonly #waiting: (() => void)[] = [];

  get stream(): Writable {
    return this as unknown as Writable;
  }

  on(): void {}

  release(): void {
    this.isStuck = false;
    for (const finish of this.#waiting.splice(0)) finish();
  }

  write(chunk: string, done: Done): void {
    this.writableLength += chunk.length;
    const finish = () => {
      this.writableLength -= chunk.length;
      if (this.failure === undefined) this.taken.push(chunk);
      done(this.failure);
    };
    if (this.isStuck) this.#waiting.push(finish);
    else process.nextTick(finish);
  }
}

test('a logger writes its lines to the output', async () => {
  const outlet = new Outlet();
  const output = new LogOutput(outlet.stream, events);
  createLogger({ name: 'test', level: 'info', output }).info({ jobId: '7' }, 'hello');
  await output.flushed(HANG_MS);
  expect(outlet.taken.map((line) => JSON.parse(line))).toMatchObject([
    { name: 'test', jobId: '7', msg: 'hello' },
  ]);
});

test('a line that fails is dropped and counted, and the count is told when one can be written again', async () => {
  using dropped = listen(events, 'log.dropped');
  using recovered = listen(events, 'log.recovered');
  const outlet = new Outlet();
  const output = new LogOutput(outlet.stream, events);
  outlet.failure = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  output.write('a\n');
  output.write('b\n');
  await dropped.count(2);
  await output.flushed(HANG_MS);
  expect(recovered.all).toEqual([]);
  outlet.failure = undefined;
  output.write('c\n');
  expect(await recovered.first()).toEqual({ lines: 2 });
  expect(outlet.taken).toEqual(['c\n']);
});

test('of what a stuck reader does not take a mebibyte waits, and the rest is dropped', async () => {
  using dropped = listen(events, 'log.dropped');
  using recovered = listen(events, 'log.recovered');
  const outlet = new Outlet();
  outlet.isStuck = true;
  const output = new LogOutput(outlet.stream, events);
  const line = `${'x'.repeat(65_535)}\n`;
  for (let count = 0; count < 20; count += 1) output.write(line);
  await dropped.count(4);
  expect(outlet.writableLength).toBe(16 * line.length);
  outlet.release();
  await output.flushed(HANG_MS);
  expect(outlet.taken).toHaveLength(16);
  expect(recovered.all).toEqual([{ lines: 4 }]);
  expect(dropped.all).toHaveLength(4);
});

test('flushing gives up on a stuck reader', async () => {
  const outlet = new Outlet();
  outlet.isStuck = true;
  const output = new LogOutput(outlet.stream, events);
  output.write('a\n');
  await output.flushed(10);
  expect(outlet.taken).toEqual([]);
});
