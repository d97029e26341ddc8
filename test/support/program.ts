// The API or a worker as a real process: tests give it an environment, read its log and send it signals.
// Guarantees: its environment is what the test gave and nothing else; it is dead once disposed of.

import type { ChildProcessByStdio } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { HANG_MS } from './eventually.ts';

export type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string };

export type ProgramExit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type WaitForLogOptions = {
  /** Defaults to 10 000. */
  readonly timeoutMs?: number;
  /** Look only at lines from this index of `logs` on. Defaults to 0: a line that has already come counts. */
  readonly from?: number;
};

type Listener = { readonly look: () => void; readonly fail: (error: Error) => void };

const root = resolve(import.meta.dirname, '../..');

export async function startProgram(
  program: 'api' | 'worker',
  env: Readonly<Record<string, string>>,
): Promise<Program> {
  return await startFile(`src/${program}/main.ts`, env);
}

/** Any program of the repository, by its path from the root. */
export async function startFile(
  file: string,
  env: Readonly<Record<string, string>>,
  args: readonly string[] = [],
): Promise<Program> {
  const child = spawn(process.execPath, [file, ...args], {
    cwd: root,
    env: { PATH: '/usr/bin:/bin', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const running = new Program(file, child);
  await once(child, 'spawn');
  return running;
}

export class Program {
  /** Every JSON line of its standard output, in order. */
  readonly logs: LogLine[] = [];
  /** Every other line of either output: a crash, a message for people. */
  readonly text: string[] = [];
  /** Settles when the process has ended and its output is read to the end. */
  readonly exited: Promise<ProgramExit>;
  readonly #name: string;
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #listeners = new Set<Listener>();
  #exit: ProgramExit | undefined;

  constructor(name: string, child: ChildProcessByStdio<null, Readable, Readable>) {
    this.#name = name;
    this.#child = child;
    createInterface({ input: child.stdout }).on('line', (line) => this.#take(line));
    createInterface({ input: child.stderr }).on('line', (line) => this.#take(line));
    const { promise, resolve: settle } = Promise.withResolvers<ProgramExit>();
    this.exited = promise;
    child.once('close', (code, signal) => {
      this.#exit = { code, signal };
      settle(this.#exit);
      for (const { look, fail } of [...this.#listeners]) {
        look();
        fail(this.#failure(`ended (${signal ?? code})`));
      }
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.#name} did not start`);
    return this.#child.pid;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** The first line with this message, or for which the function answers true. Rejects at the deadline, and when the program ends. */
  async waitForLog(
    match: string | ((line: LogLine) => boolean),
    { timeoutMs = HANG_MS, from = 0 }: WaitForLogOptions = {},
  ): Promise<LogLine> {
    const isMatch = typeof match === 'string' ? (line: LogLine) => line.msg === match : match;
    const wanted = typeof match === 'string' ? `logged "${match}"` : 'logged what was waited for';
    const lines = this.logs;
    return await this.#waitFor({ lines, from, timeoutMs, wanted }, (line) => (isMatch(line) ? line : null));
  }

  /** The same for a line for people; `from` is an index of `text`. */
  async waitForText(
    pattern: RegExp,
    { timeoutMs = HANG_MS, from = 0 }: WaitForLogOptions = {},
  ): Promise<RegExpExecArray> {
    const wanted = `printed ${pattern}`;
    return await this.#waitFor({ lines: this.text, from, timeoutMs, wanted }, (line) => pattern.exec(line));
  }

  /** What `find` makes of the first line for which it does not answer null. */
  async #waitFor<Line, Found>(
    options: { lines: readonly Line[]; from: number; timeoutMs: number; wanted: string },
    find: (line: Line) => Found | null,
  ): Promise<Found> {
    const { lines, from, timeoutMs, wanted } = options;
    const { promise, resolve: found, reject: fail } = Promise.withResolvers<Found>();
    let next = from;
    const look = () => {
      for (const line of lines.slice(next)) {
        next += 1;
        const answer = find(line);
        if (answer !== null) found(answer);
      }
    };
    const listener = { look, fail };
    const deadline = setTimeout(
      () => fail(this.#failure(`has not ${wanted} within ${timeoutMs} ms`)),
      timeoutMs,
    );
    this.#listeners.add(listener);
    look();
    if (this.#exit !== undefined) fail(this.#failure(`ended before it ${wanted}`));
    try {
      return await promise;
    } finally {
      clearTimeout(deadline);
      this.#listeners.delete(listener);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.exited;
  }

  #take(line: string): void {
    const parsed = parseLogLine(line);
    if (parsed === undefined) this.text.push(line);
    else this.logs.push(parsed);
    for (const { look } of [...this.#listeners]) look();
  }

  #failure(what: string): Error {
    const last = [...this.logs.slice(-10).map((line) => JSON.stringify(line)), ...this.text.slice(-10)];
    return new Error(`${this.#name} ${what}. Its last lines:\n${last.join('\n')}`);
  }
}

export function parseLogLine(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    // Not JSON after all, for example a printed object.
    return undefined;
  }
}
