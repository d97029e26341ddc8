/**
 * Runs a handler in a process of its own: a job whose worker has died twice while it held it. If it takes its process down, it is the one, and
 * nobody else is hurt.
 *
 * Guarantees: four such processes at a time; one that does not stop at its signal, or is over its time, is killed; a job that waits for its
 * turn leaves at its signal; the ending is what the handler said, `crashed` where its process died after it had started, or a failure where the
 * process could not be had. Never rejects.
 */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { extname } from 'node:path';
import { aborted, MAX_TIMER_MS } from '#shared/base/backoff.ts';
import { errorMessage } from '#shared/base/errors.ts';
import type { JobSettings } from '#shared/job/job.ts';
import type { Events } from '#shared/observe/events.ts';
import { LogOutput } from '#shared/observe/log-output.ts';
import type { ConnectionPlace } from '#shared/postgres/connection-options.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { AbortReason } from '../abort.ts';
import type { Ending } from '../ending.ts';
import type { Perform } from '../perform.ts';
import { readLine } from './handler-lines.ts';
import { readReport } from './reports.ts';

/** Beside this file, compiled or not. */
const MAIN = new URL(`./main${extname(import.meta.url)}`, import.meta.url);
const PROCESSES = 4;
/** Longer than a handler's own grace after its signal, in milliseconds. */
const KILL_AFTER_MS = 1_000;
/** What a process may take to start, in milliseconds. */
const START_MS = 20_000;

/** How long the output of a process is read after its end, in milliseconds. */
const LAST_OUTPUT_MS = 1_000;

/** What the process is told first. */
export interface PerformInstruction {
  kind: 'perform';
  claim: Claim;
  /** URL of the module that exports the application. */
  module: string;
  settings: JobSettings;
  place: ConnectionPlace;
  name: string;
}

/** What the process is told: its job, then perhaps to stop. */
export type Instruction = PerformInstruction | { kind: 'abort'; reason: AbortReason };

export interface QuarantineOptions {
  /** The application's own module. Without it nothing can be run elsewhere. */
  module: string | undefined;
  events: Events;
  /** Where its database is. */
  place: ConnectionPlace;
  /** The worker's name; the process's connection shows as `<name> quarantine`. */
  name: string;
}

export function createQuarantine({ module, events, place, name }: QuarantineOptions): Perform {
  if (module === undefined) return async () => nowhereToRun();
  const lanes: Promise<unknown>[] = Array.from({ length: PROCESSES }, () => Promise.resolve());
  let next = 0;
  return async (definition, claim, { signal }, { settings }) => {
    const { webhookAllowPrivate, webhookAllowedDestinations, webhookNameservers, webhookSecrets } = settings;
    const instruction: Instruction = {
      kind: 'perform',
      claim,
      module,
      settings: { webhookAllowPrivate, webhookAllowedDestinations, webhookNameservers, webhookSecrets },
      place,
      name: `${name} quarantine`,
    };
    const lane = next++ % PROCESSES;
    const turn = lanes[lane] ?? Promise.resolve();
    const ending = Promise.race([turn, aborted(signal)]).then(() =>
      signal.aborted
        ? stopped(signal)
        : runAlone(instruction, { events, signal, timeoutMs: definition.timeoutMs }),
    );
    lanes[lane] = Promise.all([turn, ending.catch(() => {})]);
    return await ending.catch((error: unknown) => notStarted(errorMessage(error)));
  };
}

interface Run {
  events: Events;
  signal: AbortSignal;
  timeoutMs: number;
}

async function runAlone(instruction: Instruction, { events, signal, timeoutMs }: Run): Promise<Ending> {
  const child = fork(MAIN, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  passOn(child, events);
  let hasStarted = false;
  let isLate = false;
  let ending: Ending | undefined;
  child.on('message', (message) => {
    const report = readReport(message);
    if (report?.kind === 'started') hasStarted = true;
    if (report?.kind === 'logged') events.publish('handler.logged', readLine(report.line));
    if (report?.kind === 'dropped') publishDropped(events, report.lines);
    if (report?.kind === 'ended') ending = report.ending;
  });
  let killing: NodeJS.Timeout | undefined;
  const stop = () => {
    tell(child, { kind: 'abort', reason: signal.reason as AbortReason });
    killing = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  };
  const endLate = () => {
    isLate = true; // its own timer has not fired: its event loop is blocked
    child.kill('SIGKILL');
  };
  const overtime = setTimeout(endLate, Math.min(timeoutMs + START_MS, MAX_TIMER_MS));
  signal.addEventListener('abort', stop, { once: true });
  tell(child, instruction);
  const how = await gone(child);
  clearTimeout(overtime);
  clearTimeout(killing);
  signal.removeEventListener('abort', stop);
  if (ending !== undefined) return ending.kind === 'drained' ? { ...ending, handlerEnded: true } : ending;
  if (signal.aborted) return stopped(signal);
  if (isLate) return { kind: 'failed', message: `timeout: the attempt took longer than ${timeoutMs} ms` };
  return hasStarted ? crashed(how) : notStarted(how);
}

/** As where lines of this process are dropped. */
function publishDropped(events: Events, lines: number): void {
  events.publish('log.dropped', { lines });
  events.publish('log.recovered', { lines });
}

/** Not inherited: a child that shares the worker's output would make it wait for the reader of that output. */
function passOn(child: ChildProcess, events: Events): void {
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ] as const) {
    const output = new LogOutput(to, events);
    from?.on('data', (chunk: Buffer) => output.write(chunk));
  }
  child.once('exit', () => {
    const closing = setTimeout(() => {
      child.stdout?.destroy(); // a process that the job has left behind holds it
      child.stderr?.destroy();
    }, LAST_OUTPUT_MS);
    child.once('close', () => clearTimeout(closing));
  });
}

/** How the process ended, when all that it told has been read. */
function gone(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('close', (code, killedBy) => resolve(killedBy ?? `exit code ${code}`));
    child.once('error', (error) => resolve(errorMessage(error)));
  });
}

function tell(child: ChildProcess, instruction: Instruction): void {
  if (child.connected) child.send(instruction, () => {}); // gone meanwhile: its end tells
}

function stopped({ reason }: AbortSignal): Ending {
  return reason === 'cancel'
    ? { kind: 'cancelled', message: undefined }
    : { kind: 'drained', handlerEnded: true };
}

function crashed(how: string): Ending {
  return { kind: 'crashed', message: `worker_crashed: the job took a process of its own down (${how})` };
}

/** Here it would take everybody down again, and nowhere else is it known. */
function nowhereToRun(): Ending {
  return {
    kind: 'crashed',
    message:
      'worker_crashed: the job took its process down twice, and cannot be run in one of its own: the application does not name its module (defineApp)',
  };
}

function notStarted(how: string): Ending {
  return { kind: 'failed', message: `quarantine_failed: its process could not be had (${how})` };
}
