// How far a worker is, where there is no time for a book: the number of handlers that have ended, in a small file that is written anew some
// fifty times a second.
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { monotonicMs } from '../../stage/monotonic.ts';

export interface Tally {
  ended: number;
  /** Monotonic milliseconds. */
  at: number;
}

const WRITE_EVERY_MS = 20;
const file = (folder: string) => join(folder, 'tally.json');

export class TallyWriter {
  readonly #folder: string;
  #ended = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  start(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setInterval(() => this.#write(), WRITE_EVERY_MS);
    this.#timer.unref(); // it lives as long as the worker
  }

  end(): void {
    this.#ended += 1;
  }

  #write(): void {
    const tally: Tally = { ended: this.#ended, at: monotonicMs() };
    const draft = `${file(this.#folder)}.draft`;
    writeFileSync(draft, JSON.stringify(tally));
    renameSync(draft, file(this.#folder));
  }
}

/** Undefined until a handler has started. */
export function readTally(folder: string): Tally | undefined {
  try {
    return JSON.parse(readFileSync(file(folder), 'utf8')) as Tally;
  } catch {
    return undefined;
  }
}
