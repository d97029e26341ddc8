// The file that names the processes which a run has started, so that the next run can stop what a `kill -9` left behind.
// Guarantees: one living owner per file; a process is only ever stopped when number, start time and command line all match.
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

import { readRunningProcess, signalGroup, signalProcess } from './running-process.ts';
import { waitUntil } from './wait-until.ts';

export type RecordedProcess = {
  readonly pid: number;
  readonly startTicks: string;
  /** A text that its command line contains: our folder or node name. */
  readonly marker: string;
  /** What asks it to stop in good order. */
  readonly stopSignal: NodeJS.Signals;
};

type RecordFile = {
  readonly owner: { pid: number; startTicks: string };
  readonly processes: RecordedProcess[];
};

const leftoverTimeoutMs = 2_000;

export class ProcessRecord {
  readonly #file: string;
  readonly #content: RecordFile;

  private constructor(file: string, content: RecordFile) {
    this.#file = file;
    this.#content = content;
  }

  /** Claims the file for this process and stops leftovers. Throws when the owner of an older claim is alive. */
  static async claim({ file, log }: { file: string; log: (line: string) => void }): Promise<ProcessRecord> {
    mkdirSync(dirname(file), { recursive: true });
    const owner = { pid: process.pid, startTicks: readRunningProcess(process.pid)?.startTicks ?? '' };
    const content: RecordFile = { owner, processes: [] };
    for (let attempt = 0; attempt < 10; attempt += 1) {
      if (createExclusively(file, content)) return new ProcessRecord(file, content);
      const former = readRecord(file);
      if (former !== undefined && isAlive(former.owner)) {
        throw new Error(`already running (pid ${former.owner.pid}); stop that one first (${file})`);
      }
      await stopLeftovers(former?.processes ?? [], log);
      rmSync(file, { force: true });
    }
    throw new Error(`${file} keeps coming back: is something else starting here at the same time?`);
  }

  add({ pid, marker, stopSignal }: Omit<RecordedProcess, 'startTicks'>): void {
    const startTicks = readRunningProcess(pid)?.startTicks ?? '';
    const { processes } = this.#content;
    // A program that is started again and again must not make the record grow.
    const living = processes.filter((recorded) => readRunningProcess(recorded.pid) !== undefined);
    processes.splice(0, processes.length, ...living, { pid, startTicks, marker, stopSignal });
    const draft = `${this.#file}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(this.#content, undefined, 2));
    renameSync(draft, this.#file);
  }

  /** SIGKILL to every recorded process group that is still ours: the last resort. */
  killAll(): void {
    killRecorded(this.#file);
  }

  release(): void {
    rmSync(this.#file, { force: true });
  }
}

/** SIGKILL to what the file names, whoever wrote it, and an end to its claim. */
export function killRecorded(file: string): void {
  for (const recorded of readRecord(file)?.processes ?? []) {
    if (isRecordedProcess(recorded)) signalGroup(recorded.pid, 'SIGKILL');
  }
  rmSync(file, { force: true });
}

/** True when the number still belongs to the very process that was recorded. */
export function isRecordedProcess({ pid, startTicks, marker }: Omit<RecordedProcess, 'stopSignal'>): boolean {
  const running = readRunningProcess(pid);
  return running !== undefined && running.startTicks === startTicks && running.commandLine.includes(marker);
}

async function stopLeftovers(
  processes: readonly RecordedProcess[],
  log: (line: string) => void,
): Promise<void> {
  const leftovers = processes.filter(isRecordedProcess);
  if (leftovers.length === 0) return;
  log(`stopping what an earlier run left behind (pid ${leftovers.map(({ pid }) => pid).join(', ')})`);
  for (const { pid, stopSignal } of leftovers) signalProcess(pid, stopSignal);
  await Promise.all(leftovers.map(stopLeftover));
}

async function stopLeftover(leftover: RecordedProcess): Promise<void> {
  const check = () => (isRecordedProcess(leftover) ? undefined : true);
  const what = `the end of process ${leftover.pid}`;
  try {
    await waitUntil({ what, check, timeoutMs: leftoverTimeoutMs });
  } catch {
    signalGroup(leftover.pid, 'SIGKILL');
    await waitUntil({ what, check, timeoutMs: leftoverTimeoutMs });
  }
}

function isAlive({ pid, startTicks }: { pid: number; startTicks: string }): boolean {
  return startTicks === '' ? signalIsAccepted(pid) : readRunningProcess(pid)?.startTicks === startTicks;
}

function signalIsAccepted(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: nobody has that number.
    return false;
  }
}

/** A link appears with its content or not at all, so that nobody reads half a claim. */
function createExclusively(file: string, content: RecordFile): boolean {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(content, undefined, 2));
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

function readRecord(file: string): RecordFile | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    // Gone meanwhile, or damaged by a full disk: nothing in it can be trusted.
    return undefined;
  }
}
