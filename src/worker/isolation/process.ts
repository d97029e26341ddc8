/**
 * An isolate in a process of its own.
 *
 * Guarantees: it ends for certain when it is killed (SIGKILL) and soon after its worker has ended, however that ended (process-watch.ts).
 */
import { fork } from 'node:child_process';
import { setPriority } from 'node:os';
import { errorMessage } from '#shared/base/errors.ts';
import type { Carrier, CarrierOptions } from './carrier.ts';
import { mainOf, passOnOutput } from './carrier.ts';
import { readReport, seal } from './messages.ts';

/** How long the output of a process is read after its end, in milliseconds. */
const LAST_OUTPUT_MS = 1_000;

export interface ProcessOptions extends CarrierOptions {
  /** How far its work stands back behind other processes, 0 to 19. Defaults to 0. */
  niceness?: number | undefined;
}

export function startProcess({ events, memoryMb, niceness = 0 }: ProcessOptions): Carrier {
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
    if (report.kind === 'ready' && niceness > 0) standBack(child.pid, niceness); // not sooner: its start has a deadline
    carrier.onReport(report);
  });
  return carrier;
}

function standBack(pid: number | undefined, niceness: number): void {
  try {
    if (pid !== undefined) setPriority(pid, niceness);
  } catch {
    // It has ended already, or the system has no such thing: it runs as every other then.
  }
}

function describe(code: number | null, killedBy: string | null, memoryMb: number | undefined): string {
  if (killedBy === 'SIGABRT' && memoryMb !== undefined)
    return `SIGABRT, as where it needs more than its ${memoryMb} MB of memory`;
  return killedBy ?? `exit code ${code}`;
}
