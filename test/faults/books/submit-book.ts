// The submit book: what the load generator asked for and what it was told, one line per event, on disk before the next step.
import { closeSync, fdatasyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';

/**
 * `kept`: an answer that names another job, which holds the unique key. `refused`: one that says no (503 with its code). `unknown`: no answer came; the submit
 * may have been committed.
 */
export type SubmitPhase = 'invoke' | 'ok' | 'kept' | 'refused' | 'unknown';

export interface SubmitLine {
  key: string;
  /** Monotonic milliseconds. */
  at: number;
  phase: SubmitPhase;
  jobId?: string;
  status?: number;
  /** From the request to its answer. */
  ms?: number;
  hasRetryAfter?: boolean;
  error?: string;
}

export class SubmitBook implements Disposable {
  readonly lines: SubmitLine[] = [];
  readonly #file: number;

  constructor(file: string) {
    this.#file = openSync(file, 'a');
  }

  write(...lines: readonly Omit<SubmitLine, 'at'>[]): void {
    const entries = lines.map((line) => ({ ...line, at: monotonicMs() }));
    for (const entry of entries) this.lines.push(entry);
    writeSync(this.#file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    fdatasyncSync(this.#file);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

export function readSubmitBook(file: string): SubmitLine[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as SubmitLine);
}
