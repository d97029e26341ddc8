// A long-running child in a process group of its own: Ctrl-C in the terminal reaches only us, and we stop it in order.
// Guarantees: after `stop` resolved neither it nor its group runs any more; its output goes to a file or line by line to us.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createInterface } from 'node:readline';

import type { ProcessRecord } from './process-record.ts';
import { signalGroup, signalProcess } from './running-process.ts';

export type OwnedProcessOptions = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly output: { readonly file: string } | { readonly onLine: (line: string) => void };
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  /** What it is called in the process list, where its own arguments do not tell that it is ours. */
  readonly title?: string;
  readonly marker: string;
  readonly stopSignal: NodeJS.Signals;
  /** How long the stop signal may take before SIGKILL. */
  readonly stopTimeoutMs: number;
  readonly record: ProcessRecord;
};

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export class OwnedProcess {
  readonly name: string;
  readonly pid: number;
  /** Settles when the process has ended, never rejects. */
  readonly exited: Promise<Exit>;
  #exit: Exit | undefined;
  readonly #options: OwnedProcessOptions;

  private constructor(pid: number, exited: Promise<Exit>, options: OwnedProcessOptions) {
    this.name = options.name;
    this.pid = pid;
    this.#options = options;
    this.exited = exited.then((exit) => {
      this.#exit = exit;
      return exit;
    });
  }

  static async start(options: OwnedProcessOptions): Promise<OwnedProcess> {
    const { command, args, env, cwd, output, owner, title } = options;
    const file = 'file' in output ? openSync(output.file, 'w', 0o600) : undefined;
    const sink = file ?? 'pipe';
    const child = spawn(command, args, {
      ...(owner ?? {}),
      ...(title === undefined ? {} : { argv0: title }),
      env,
      cwd,
      detached: true,
      stdio: ['ignore', sink, sink],
    });
    const exited = new Promise<Exit>((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }));
    });
    if (file !== undefined) closeSync(file);
    if ('onLine' in output) {
      for (const stream of [child.stdout, child.stderr]) {
        if (stream) createInterface({ input: stream }).on('line', output.onLine);
      }
    }
    await once(child, 'spawn');
    if (child.pid === undefined) throw new Error(`${options.name} did not start`);
    options.record.add({ pid: child.pid, marker: options.marker, stopSignal: options.stopSignal });
    return new OwnedProcess(child.pid, exited, options);
  }

  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** Throws when it has ended although nobody asked for it. */
  assertRunning(): void {
    if (this.#exit === undefined) return;
    const { output } = this.#options;
    const where = 'file' in output ? `; its output is in ${output.file}` : '';
    throw new Error(`${this.name} has ended (${describeExit(this.#exit)})${where}`);
  }

  async stop(): Promise<void> {
    if (this.#exit === undefined) {
      signalProcess(this.pid, this.#options.stopSignal);
      const deadline = setTimeout(() => this.kill(), this.#options.stopTimeoutMs);
      await this.exited;
      clearTimeout(deadline);
    }
    // Children that outlived it are in its group; without any the number belongs to nobody.
    this.kill();
  }

  kill(): void {
    signalGroup(this.pid, 'SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export function describeExit({ code, signal }: Exit): string {
  return signal === null ? `code ${code}` : signal;
}
