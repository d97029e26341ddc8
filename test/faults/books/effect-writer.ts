// The effect book, as a job's handler writes it: one append-only file per process, outside of every database that a fault can touch.
// A line is handed to the kernel before the handler's first wait, so that `kill -9` loses no start.
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { monotonicMs } from '../../../bench/stage/monotonic.ts';

export interface EffectLine {
  phase: 'start' | 'end';
  key: string;
  jobId: string;
  attempt: number;
  fence: number;
  pid: number;
  /** Counts the lines of the process. */
  seq: number;
  /** Monotonic milliseconds. */
  at: number;
}

export class EffectWriter {
  readonly #folder: string;
  #file: number | undefined;
  #seq = 0;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Returns the function that writes the end. */
  start(run: { key: string; jobId: string; attempt: number; fence: number }): () => void {
    this.#write('start', run);
    return () => this.#write('end', run);
  }

  #write(
    phase: EffectLine['phase'],
    { key, jobId, attempt, fence }: Pick<EffectLine, 'key' | 'jobId' | 'attempt' | 'fence'>,
  ): void {
    this.#file ??= openSync(join(this.#folder, `effects-${process.pid}.jsonl`), 'a');
    this.#seq += 1;
    const line: EffectLine = {
      phase,
      key,
      jobId,
      attempt,
      fence,
      pid: process.pid,
      seq: this.#seq,
      at: monotonicMs(),
    };
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}
