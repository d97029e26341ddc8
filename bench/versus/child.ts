// A program under comparison as a child process: started, killed, stopped and measured from outside.
// Guarantees: it ends with this process, and is told nothing but its plan.
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { monotonicMs } from '../stage/monotonic.ts';
import type { ProgramPlan } from './contender.ts';

const TICKS_PER_SECOND = 100;
const running = new Set<Child>();
process.once('exit', () => {
  for (const child of running) child.signal('SIGKILL');
});

export class Child {
  readonly pid: number;
  readonly exited: Promise<void>;
  /** When it was killed; monotonic milliseconds. */
  killedAt: number | undefined;
  #hasExited = false;
  readonly #process: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#process = child;
    this.pid = child.pid ?? 0;
    running.add(this);
    this.exited = once(child, 'exit').then(() => {
      this.#hasExited = true;
      running.delete(this);
    });
  }

  /** Its output goes to the end of `log`. */
  static async start({ file, args = [], env, nodeOptions, log }: StartOptions): Promise<Child> {
    const output = openSync(log, 'a');
    const child = spawn(
      process.execPath,
      [...(nodeOptions === undefined ? [] : [nodeOptions]), file, ...args],
      {
        env: { PATH: '/usr/bin:/bin', NODE_ENV: 'production', ...env },
        stdio: ['ignore', output, output],
      },
    );
    closeSync(output);
    await once(child, 'spawn');
    return new Child(child);
  }

  get hasExited(): boolean {
    return this.#hasExited;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  async kill(): Promise<void> {
    this.killedAt = monotonicMs();
    this.signal('SIGKILL');
    await this.exited;
  }

  /** User and system time of all its threads so far, in seconds. */
  cpuSeconds(): number {
    const text = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }
}

export interface StartOptions extends ProgramPlan {
  args?: readonly string[];
  log: string;
}
