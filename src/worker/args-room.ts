/**
 * The room for the arguments of the jobs that this worker has claimed, in bytes of JSON text: a claim takes no more than there is room for.
 *
 * Guarantees: small and large arguments have room of their own, so that neither waits for the other; in each, what waits gets in by its turn, so that
 * nothing starves; arguments larger than all the room run alone among the large ones. What a job takes in memory is a multiple of its arguments: the
 * answer of Postgres, the parsed value, its checked copy and whatever the handler makes of it.
 */

/** Arguments above this are large, in bytes. Most jobs have some hundred. */
export const LARGE_ABOVE_BYTES = 16_384;
/** The part of the room that is for small arguments. */
const SMALL_PART = 0.25;

export class ArgsRoom {
  readonly small: Lane;
  readonly large: Lane;

  constructor(maxBytes: number) {
    const smallBytes = Math.max(Math.floor(maxBytes * SMALL_PART), LARGE_ABOVE_BYTES);
    this.small = new Lane(smallBytes);
    this.large = new Lane(Math.max(maxBytes - smallBytes, 1));
  }

  /** Waits for room for these arguments, in turn. False where the signal aborted first. */
  take(bytes: number, signal: AbortSignal): Promise<boolean> {
    return this.#laneOf(bytes).take(bytes, signal);
  }

  /** Counts arguments that are here already, whether or not there is room. */
  count(bytes: number): void {
    this.#laneOf(bytes).count(bytes);
  }

  /** Gives back what one job's arguments had taken. */
  give(bytes: number): void {
    this.#laneOf(bytes).give(bytes);
  }

  /** What is taken now, in bytes. */
  get takenBytes(): number {
    return this.small.takenBytes + this.large.takenBytes;
  }

  /** How many wait for room. */
  get waiting(): number {
    return this.small.waiting + this.large.waiting;
  }

  #laneOf(bytes: number): Lane {
    return bytes > LARGE_ABOVE_BYTES ? this.large : this.small;
  }
}

interface Waiting {
  bytes: number;
  enter: () => void;
}

/** Room for arguments of one kind. What exceeds all of it counts as all of it. */
class Lane {
  readonly maxBytes: number;
  #takenBytes = 0;
  readonly #waiting: Waiting[] = [];

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get takenBytes(): number {
    return this.#takenBytes;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** What a claim of unknown size may take: at most `atMost`, and nothing while others wait. Returns how much it has taken. */
  takeUpTo(atMost: number): number {
    const bytes =
      this.#waiting.length > 0 ? 0 : Math.max(0, Math.min(atMost, this.maxBytes - this.#takenBytes));
    this.#takenBytes += bytes;
    return bytes;
  }

  async take(bytes: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const waiting = { bytes: this.#atMostAll(bytes), enter: () => resolve(true) };
    this.#waiting.push(waiting);
    const onAbort = () => {
      const place = this.#waiting.indexOf(waiting);
      if (place < 0) return; // it has got in
      this.#waiting.splice(place, 1);
      resolve(false);
      this.#admit(); // what it has held up
    };
    signal.addEventListener('abort', onAbort);
    this.#admit();
    const hasEntered = await promise;
    signal.removeEventListener('abort', onAbort);
    return hasEntered;
  }

  count(bytes: number): void {
    this.#takenBytes += this.#atMostAll(bytes);
  }

  give(bytes: number): void {
    this.#takenBytes -= this.#atMostAll(bytes);
    this.#admit();
  }

  #atMostAll(bytes: number): number {
    return Math.min(bytes, this.maxBytes);
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (this.#takenBytes + next.bytes > this.maxBytes) return;
      this.#waiting.shift();
      this.#takenBytes += next.bytes;
      next.enter();
    }
  }
}
