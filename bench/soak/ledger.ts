// The ledger of the soak, as the judge reads it: every job that was acknowledged must have ended, as its type's jobs may, and what is completed must have been done.
import { createReadStream, globSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { ArchivedJob } from './ledger-writer.ts';

export interface Judgement {
  acknowledged: number;
  /** Jobs that have ended: archived, or left in the table. */
  ended: number;
  byState: Record<string, number>;
  /** Acknowledged jobs of which no end is known. */
  lost: string[];
  /** Ended otherwise than jobs of the type may, with the state. */
  wronglyEnded: string[];
  /** Completed jobs that no handler has done. */
  undone: string[];
  /** Done, and never ended: such a job would have been lost after its work. */
  unended: string[];
}

/** Otherwise than completed. */
const otherEnds: Readonly<Record<string, readonly string[]>> = {
  'soak-expiring': ['completed', 'discarded'],
  'soak-hopeless': ['discarded'],
  'soak-withdrawn': ['cancelled'],
};
/** How many ids of each kind are told. */
const MOST_TOLD = 1_000;

const ACKNOWLEDGED = 1;
const ENDED = 2;
const DONE = 4;
const COMPLETED = 8;

/** One byte for each id, so that millions of jobs take little room. */
export class Ledger {
  #marks = new Uint8Array(1_048_576);
  readonly #wronglyEnded: string[] = [];
  readonly #byState: Record<string, number> = {};

  acknowledge(ids: readonly string[]): void {
    for (const id of ids) this.#mark(id, ACKNOWLEDGED);
  }

  /** What the archive was given twice counts once. */
  end({ id, type, state }: ArchivedJob): void {
    if (!this.#mark(id, state === 'completed' ? ENDED | COMPLETED : ENDED)) return;
    this.#byState[state] = (this.#byState[state] ?? 0) + 1;
    if (!(otherEnds[type] ?? ['completed']).includes(state))
      this.#wronglyEnded.push(`${id} ${type} ${state}`);
  }

  /** What the programs have written. A process that was killed may have left half a line. */
  async read(folder: string): Promise<void> {
    for (const file of globSync('done-*', { cwd: folder }))
      for await (const line of linesOf(join(folder, file))) if (/^\d+$/.test(line)) this.#mark(line, DONE);
    for (const file of globSync('archived-*', { cwd: folder }))
      for await (const line of linesOf(join(folder, file))) {
        const [id, type, state] = line.split(' ');
        if (id !== undefined && type !== undefined && state !== undefined) this.end({ id, type, state });
      }
  }

  judge(): Judgement {
    const judgement: Judgement = {
      acknowledged: 0,
      ended: 0,
      byState: this.#byState,
      lost: [],
      wronglyEnded: this.#wronglyEnded.slice(0, MOST_TOLD),
      undone: [],
      unended: [],
    };
    for (const [id, mark] of this.#marks.entries()) {
      if (mark & ACKNOWLEDGED) judgement.acknowledged += 1;
      if (mark & ENDED) judgement.ended += 1;
      const kind = kindOf(mark);
      if (kind !== undefined && judgement[kind].length < MOST_TOLD) judgement[kind].push(String(id));
    }
    return judgement;
  }

  /** False where that was known. */
  #mark(text: string, mark: number): boolean {
    const id = Number(text);
    if (id >= this.#marks.length) {
      const larger = new Uint8Array(Math.max(id + 1, this.#marks.length * 2));
      larger.set(this.#marks);
      this.#marks = larger;
    }
    const before = this.#marks[id] ?? 0;
    this.#marks[id] = before | mark;
    return (before & mark) !== mark;
  }
}

function kindOf(mark: number): 'lost' | 'undone' | 'unended' | undefined {
  if (mark & ACKNOWLEDGED && !(mark & ENDED)) return 'lost';
  if (mark & COMPLETED && !(mark & DONE)) return 'undone';
  return mark & DONE && !(mark & ENDED) ? 'unended' : undefined;
}

function linesOf(file: string) {
  return createInterface({ input: createReadStream(file, 'utf8') });
}
