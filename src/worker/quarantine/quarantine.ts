/**
 * Runs a handler in a process of its own: a job whose worker has died twice while it ran. If it takes its process down, it is the one, and
 * nobody else is hurt.
 *
 * Guarantees: four such processes at a time; it is killed when it does not stop at its signal; how it ended is what the handler said, or `crashed`.
 */
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { JobSettings } from '#shared/job.ts';
import type { Claim } from '#shared/postgres/jobs.ts';
import type { AbortReason, Ending, Perform } from '../perform.ts';

const MAIN = new URL('./main.ts', import.meta.url);
const PROCESSES = 4;
/** Longer than a handler's own grace after its signal, in milliseconds. */
const KILL_AFTER_MS = 1_000;

/** What the process is told: first its job, then perhaps to stop. */
export type Instruction =
  | { kind: 'perform'; claim: Claim; settings: JobSettings; databaseUrl: string; name: string }
  | { kind: 'abort'; reason: AbortReason };

export interface QuarantineOptions {
  program: URL | undefined;
  databaseUrl: string;
  /** The worker's name; the process's connection shows as `<name> quarantine`. */
  name: string;
}

export function createQuarantine({ program = MAIN, databaseUrl, name }: QuarantineOptions): Perform {
  const lanes: Promise<unknown>[] = Array.from({ length: PROCESSES }, () => Promise.resolve());
  let next = 0;
  return (_definition, claim, controller, { settings }) => {
    const { webhookAllowPrivate, webhookSecret } = settings;
    const instruction: Instruction = {
      kind: 'perform',
      claim,
      settings: { webhookAllowPrivate, webhookSecret },
      databaseUrl,
      name: `${name} quarantine`,
    };
    const lane = next++ % PROCESSES;
    const ending = (lanes[lane] ?? Promise.resolve()).then(() =>
      runAlone(program, instruction, controller.signal),
    );
    lanes[lane] = ending;
    return ending;
  };
}

async function runAlone(program: URL, instruction: Instruction, signal: AbortSignal): Promise<Ending> {
  if (signal.aborted) return withoutEnding(signal, 'before it was started');
  const child = fork(program, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  let ending: Ending | undefined;
  child.on('message', (message) => {
    ending = message as Ending;
  });
  child.on('error', () => {}); // it could not be started or told: it exits without an ending
  let killing: NodeJS.Timeout | undefined;
  const stop = () => {
    tell(child, { kind: 'abort', reason: signal.reason as AbortReason });
    killing = setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
  };
  tell(child, instruction);
  signal.addEventListener('abort', stop, { once: true });
  const [code, killedBy] = await once(child, 'exit');
  clearTimeout(killing);
  signal.removeEventListener('abort', stop);
  return ending ?? withoutEnding(signal, killedBy ?? `exit code ${code}`);
}

function tell(child: ChildProcess, instruction: Instruction): void {
  if (child.connected) child.send(instruction, () => {}); // gone meanwhile: its exit tells
}

function withoutEnding(signal: AbortSignal, how: string): Ending {
  if (signal.reason === 'cancel') return { kind: 'cancelled', message: undefined };
  if (signal.reason === 'drain') return { kind: 'drained', handlerEnded: true };
  return { kind: 'crashed', message: `worker_crashed: the job took a process of its own down (${how})` };
}
