/**
 * An isolate in a process of its own.
 *
 * Guarantees: it ends for certain when it is killed (SIGKILL) and soon after its worker has ended, however that ended (process-watch.ts).
 */
import { fork } from 'node:child_process';
import { errorMessage } from '#shared/base/errors.ts';
import type { Carrier, CarrierOptions } from './carrier.ts';
import { mainOf, passOnOutput } from './carrier.ts';
import { readReport, seal } from './messages.ts';

/** How long the output of a process is read after its end, in milliseconds. */
const LAST_OUTPUT_MS = 1_000;

export function startProcess({ events, memoryMb }: CarrierOptions): Carrier {
  const child = fork(mainOf(import.meta.url), {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: [...process.execArgv, ...(memoryMb === undefined ? [] : [`--max-old-space-size=${memoryMb}`])],
  });
  passOnOutput(child, events);
  child.once('exit', () => {
    const closing = setTimeout(() => {
      child.stdout?.destroy(); // a process that the job has left behind holds it
      child.stderr?.destroy();
    }, LAST_OUTPUT_MS);
    child.once('close', () => clearTimeout(closing));
  });
  const carrier: Carrier = {
    what: 'process',
    onReport: () => {},
    send: (instruction) => {
      if (child.connected) child.send(seal(instruction), () => {});
    },
    gone: new Promise((resolve) => {
      child.once('close', (code, killedBy) => resolve(describe(code, killedBy, memoryMb)));
      child.on('error', (error) => resolve(errorMessage(error)));
    }),
    kill: () => {
      child.kill('SIGKILL');
    },
  };
  child.on('message', (message) => {
    const report = readReport(message);
    if (report === undefined) return;
    carrier.onReport(report);
  });
  return carrier;
}

function describe(code: number | null, killedBy: string | null, memoryMb: number | undefined): string {
  if (killedBy === 'SIGABRT' && memoryMb !== undefined)
    return `SIGABRT, as where it needs more than its ${memoryMb} MB of memory`;
  return killedBy ?? `exit code ${code}`;
}
