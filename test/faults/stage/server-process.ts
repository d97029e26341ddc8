// A server that a run may kill and start again with the same command line, environment and user, as the kernel tells them of the first one.
// Guarantees: what was started again ends with this process, and is recorded for the next run as the first one was.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readlinkSync, statSync, writeFileSync } from 'node:fs';
import type { RecordedProcess } from '../../../dev/process-record.ts';
import { readRunningProcess, signalGroup, signalProcess } from '../../../dev/running-process.ts';
import { waitUntil } from '../../../dev/wait-until.ts';

/** For hangs: a process that waits for a slow disk cannot even be killed. */
const STOP_TIMEOUT_MS = 90_000;

interface Command {
  file: string;
  args: string[];
  env: Record<string, string>;
  cwd: string;
  uid: number;
  gid: number;
}

export class ServerProcess {
  readonly env: Readonly<Record<string, string>>;
  readonly #record: string;
  readonly #marker: string;
  readonly #command: Command;
  readonly #log: string;
  #pid: number;
  #child: ChildProcess | undefined;

  /** `record`: the file that names the processes of the services; `marker`: the text by which this one is known there. */
  constructor({ record, marker, log }: { record: string; marker: RegExp; log: string }) {
    const found = readRecord(record).find((entry) => marker.test(entry.marker));
    if (found === undefined) throw new Error(`${record} names no process like ${marker}`);
    this.#record = record;
    this.#marker = found.marker;
    this.#pid = found.pid;
    this.#command = readCommand(found.pid);
    this.#log = log;
    this.env = this.#command.env;
  }

  get pid(): number {
    return this.#pid;
  }

  get running(): boolean {
    return readRunningProcess(this.#pid) !== undefined;
  }

  /** Resolves when the process is gone. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    signalProcess(this.#pid, signal);
    await waitUntil({
      what: `the end of process ${this.#pid}`,
      check: () => (this.running ? undefined : true),
      timeoutMs: STOP_TIMEOUT_MS,
      intervalMs: 10,
    });
    signalGroup(this.#pid, 'SIGKILL'); // what it has left behind, so that its ports and files are free
  }

  /** Resolves when the process runs; it does not serve yet. */
  async start(): Promise<void> {
    const { file, args, env, cwd, uid, gid } = this.#command;
    const output = openSync(this.#log, 'a');
    this.#child = spawn(file, args, {
      env,
      cwd,
      uid,
      gid,
      detached: true,
      stdio: ['ignore', output, output],
    });
    closeSync(output);
    await once(this.#child, 'spawn');
    this.#pid = this.#child.pid ?? 0;
    this.#recordAgain();
  }

  /** Ends what was started again; the first process belongs to the services. */
  kill(): void {
    if (this.#child !== undefined) signalGroup(this.#pid, 'SIGKILL');
  }

  #recordAgain(): void {
    const content = JSON.parse(readFileSync(this.#record, 'utf8')) as { processes: RecordedProcess[] };
    const startTicks = readRunningProcess(this.#pid)?.startTicks ?? '';
    for (const entry of content.processes) {
      if (entry.marker === this.#marker) Object.assign(entry, { pid: this.#pid, startTicks });
    }
    writeFileSync(this.#record, JSON.stringify(content, undefined, 2));
  }
}

function readRecord(file: string): RecordedProcess[] {
  return (JSON.parse(readFileSync(file, 'utf8')) as { processes: RecordedProcess[] }).processes;
}

function readCommand(pid: number): Command {
  const read = (name: string) => readFileSync(`/proc/${pid}/${name}`, 'utf8').split('\0').slice(0, -1);
  const [, ...args] = read('cmdline');
  const env = Object.fromEntries(
    read('environ').map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]),
  );
  const { uid, gid } = statSync(`/proc/${pid}`);
  return {
    file: readlinkSync(`/proc/${pid}/exe`),
    args,
    env,
    cwd: readlinkSync(`/proc/${pid}/cwd`),
    uid,
    gid,
  };
}
