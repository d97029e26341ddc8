/**
 * Tells Postgres which of this worker's claims have had their handlers started: those are charged an attempt should the worker die, the others are not.
 *
 * A claiming statement has a number. Once each of its jobs has said that its handler starts (`started`), or that it is over without, the worker marks
 * the number in its own row: one small statement for many jobs, which nothing waits for, on the connection that holds the lock: whoever finds the lock
 * free finds the mark. Guarantees: never marks a claim that is not started, nor one beyond it; at most one mark at a time. A mark that is missing
 * leaves an attempt uncharged, no more.
 */
import { setImmediate } from 'node:timers';
import { sleep } from '#shared/base/backoff.ts';
import type { Claimant } from '#shared/postgres/statements/claim.ts';

/** Between two marks, so that a worker with short jobs does not mark each of its claims, in milliseconds. */
const BETWEEN_MARKS_MS = 25;
const RETRY_MS = 500;
/** By then a claim whose answer was lost has been claimed again, with a number of its own, in milliseconds. */
const UNHEARD_MS = 25_000;

export interface StartMarksOptions {
  /** Writes the mark. */
  tell: (claimNumber: number) => Promise<void>;
  /** Throws `Unavailable` where the presence is not held. */
  owner: () => string;
  /** Whether a claimed job has not ended yet: otherwise there is nothing to tell. */
  isRunning: () => boolean;
}

/** A claim, as far as its start is concerned. */
export interface Started {
  id: string;
  fence: number;
}

export class StartMarks {
  readonly #options: StartMarksOptions;
  /** By number, until when a claim holds the mark back (`performance.now()`): one whose answer was lost may have been made, and is not started. */
  readonly #underWay = new Map<number, number>();
  /** By number, how many of the claimed jobs have not started; and by job, where it belongs. */
  readonly #left = new Map<number, number>();
  readonly #unstarted = new Map<string, { fence: number; claimNumber: number }>();
  #last = 0;
  #marked = 0;
  #marking = false;

  constructor(options: StartMarksOptions) {
    this.#options = options;
  }

  /**
   * Numbers the claims that `claim` makes; `claimsOf` picks those that this worker holds then. The mark waits for `started` of each, however long
   * that takes. Throws what `claim` and `owner` do.
   */
  async claimed<T>(
    claim: (claimant: Claimant) => Promise<T>,
    claimsOf: (result: T) => readonly Started[],
  ): Promise<T> {
    const owner = this.#options.owner();
    this.#last += 1;
    const claimNumber = this.#last;
    this.#underWay.set(claimNumber, Number.POSITIVE_INFINITY);
    try {
      const result = await claim({ owner, claimNumber });
      const claims = claimsOf(result);
      for (const { id, fence } of claims) this.#unstarted.set(id, { fence, claimNumber });
      if (claims.length > 0) this.#left.set(claimNumber, claims.length);
      else this.#settle(claimNumber);
      return result;
    } catch (error) {
      this.#underWay.set(claimNumber, performance.now() + UNHEARD_MS);
      throw error;
    }
  }

  /** The job's handler starts now; or the claim is over and it never will. Later calls for the same claim change nothing. */
  started({ id, fence }: Started): void {
    const found = this.#unstarted.get(id);
    if (found?.fence !== fence) return;
    this.#unstarted.delete(id);
    const left = (this.#left.get(found.claimNumber) ?? 1) - 1;
    this.#left.set(found.claimNumber, left);
    if (left > 0) return;
    this.#left.delete(found.claimNumber);
    this.#settle(found.claimNumber);
  }

  #settle(claimNumber: number): void {
    this.#underWay.delete(claimNumber);
    setImmediate(() => void this.#mark()); // for all that settle in this turn
  }

  /** Whether a claim was asked for, not long ago, whose answer was lost. */
  get hasUnheard(): boolean {
    this.#forgetExpired();
    return [...this.#underWay.values()].some((until) => until !== Number.POSITIVE_INFINITY);
  }

  async #mark(): Promise<void> {
    if (this.#marking) return;
    this.#marking = true;
    while (this.#started() > this.#marked && this.#options.isRunning()) {
      const claimNumber = this.#started();
      try {
        await this.#options.tell(claimNumber);
        this.#marked = claimNumber;
        await sleep(BETWEEN_MARKS_MS);
      } catch {
        await sleep(RETRY_MS); // Postgres is away
      }
    }
    this.#marking = false;
  }

  /** The number of the last claim that is started, with all before it. */
  #started(): number {
    this.#forgetExpired();
    return Math.min(this.#last, ...[...this.#underWay.keys()].map((claimNumber) => claimNumber - 1));
  }

  /** Claims whose answer was lost so long ago that they were made again, or never. */
  #forgetExpired(): void {
    for (const [claimNumber, until] of this.#underWay)
      if (until < performance.now()) this.#underWay.delete(claimNumber);
  }
}
