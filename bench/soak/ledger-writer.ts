// The ledger of the soak, as the programs write it: which jobs a handler has done, which jobs the archive was given. One file of each per process,
// outside of every server that the soak breaks. What is written is with the kernel before the job ends, so that `kill -9` loses nothing.
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export interface ArchivedJob {
  id: string;
  type: string;
  state: string;
}

export class LedgerWriter {
  readonly #folder: string;
  readonly #files = new Map<string, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The last thing that a handler does. */
  done(jobId: string): void {
    this.#append('done', `${jobId}\n`);
  }

  archived(jobs: readonly ArchivedJob[]): void {
    this.#append('archived', jobs.map(({ id, type, state }) => `${id} ${type} ${state}\n`).join(''));
  }

  #append(book: 'done' | 'archived', text: string): void {
    const file = this.#files.get(book) ?? openSync(join(this.#folder, `${book}-${process.pid}`), 'a');
    this.#files.set(book, file);
    writeSync(file, text);
  }
}
