// The effect book: what handlers did, written by the handler itself, outside of every server. One append-only file per process; a line is
// handed to the kernel before the handler's first wait, so that `kill -9` loses no start.
import { globSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { monotonicMs } from '../../stage/monotonic.ts';

interface Line {
  phase: 'start' | 'end';
  key: string;
  /** Counts the runs of the process. */
  run: number;
  at: number;
}

/** One run of a handler. `endedAt` is missing where it has not ended. Monotonic milliseconds. */
export interface Run {
  key: string;
  pid: number;
  startedAt: number;
  endedAt?: number;
}

export class EffectWriter {
  readonly #file: number;
  #runs = 0;

  constructor(folder: string) {
    this.#file = openSync(join(folder, `effects-${process.pid}.jsonl`), 'a');
  }

  /** Returns what writes the end. */
  start(key: string): () => void {
    this.#runs += 1;
    const run = this.#runs;
    this.#write({ phase: 'start', key, run, at: monotonicMs() });
    return () => this.#write({ phase: 'end', key, run, at: monotonicMs() });
  }

  #write(line: Line): void {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}

export function readRuns(folder: string): Run[] {
  return globSync('effects-*.jsonl', { cwd: folder }).flatMap((file) => {
    const pid = Number(/\d+/.exec(file)?.[0]);
    const runs = new Map<number, Run>();
    for (const text of readFileSync(join(folder, file), 'utf8').split('\n')) {
      if (!text.endsWith('}')) continue; // a process that was killed may have left half a line
      const { phase, key, run, at } = JSON.parse(text) as Line;
      if (phase === 'start') runs.set(run, { key, pid, startedAt: at });
      else Object.assign(runs.get(run) ?? {}, { endedAt: at });
    }
    return [...runs.values()];
  });
}
