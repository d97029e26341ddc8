/**
 * An isolate in a thread of its own.
 *
 * Guarantees: JavaScript in it ends for certain when it is killed, a loop without an end too. A call into native code ends only when that returns.
 */
import { Worker as Thread } from 'node:worker_threads';
import { errorMessage } from '#shared/base/errors.ts';
import type { Carrier, CarrierOptions } from './carrier.ts';
import { mainOf, passOnOutput } from './carrier.ts';
import { readReport, seal } from './messages.ts';

export function startThread({ events, memoryMb }: CarrierOptions): Carrier {
  const thread = new Thread(mainOf(import.meta.url), {
    stdout: true,
    stderr: true,
    ...(memoryMb === undefined ? {} : { resourceLimits: { maxOldGenerationSizeMb: memoryMb } }),
  });
  passOnOutput(thread, events);
  const { promise: gone, resolve } = Promise.withResolvers<string>();
  let thrown: string | undefined;
  thread.on('error', (error) => {
    thrown ??= describe(error, memoryMb);
  });
  thread.once('exit', (code) => resolve(thrown ?? `exit code ${code}`));
  const carrier: Carrier = {
    what: 'thread',
    onReport: () => {},
    send: (instruction) => thread.postMessage(seal(instruction)),
    gone,
    kill: () => void thread.terminate(),
  };
  thread.on('message', (message) => {
    const report = readReport(message);
    if (report === undefined) return;
    thread.postMessage(seal({ kind: 'taken' })); // a thread has no other way to know how much waits
    carrier.onReport(report);
  });
  return carrier;
}

function describe(error: unknown, memoryMb: number | undefined): string {
  const { code } = Object(error) as NodeJS.ErrnoException;
  if (code === 'ERR_WORKER_OUT_OF_MEMORY') return `it needs more than its ${memoryMb} MB of memory`;
  return errorMessage(error);
}
