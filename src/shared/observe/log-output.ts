/**
 * Where the lines of a process go: standard output, which may be full, stuck or gone.
 *
 * Guarantees: `write` neither waits nor throws; what cannot be written is dropped and counted, and so is what comes while `MAX_WAITING_BYTES` wait
 * for a reader; `flushed` waits as long as it is told. A pipe or a socket is written without waiting; a file or a terminal takes a line at once,
 * or fails.
 */
import type { Writable } from 'node:stream';
import type { Events } from './events.ts';

const MAX_WAITING_BYTES = 1_048_576;

/** Streams that need no second listener for their errors, which `write` is told of. */
const guarded = new WeakSet<Writable>();

export class LogOutput {
  readonly #stream: Writable;
  readonly #events: Events;
  readonly #flushes = new Set<() => void>();
  #underWay = 0;
  #dropped = 0;

  /** `events`: told of lines that were dropped. */
  constructor(stream: Writable, events: Events) {
    this.#stream = stream;
    this.#events = events;
    if (!guarded.has(stream)) stream.on('error', () => {});
    guarded.add(stream);
  }

  write(chunk: string | Uint8Array): void {
    if (this.#stream.writableLength + chunk.length > MAX_WAITING_BYTES) {
      this.#drop();
      return;
    }
    this.#underWay += 1;
    this.#stream.write(chunk, this.#onWritten);
  }

  /** Resolves when everything was written or dropped, or when the time is over. */
  async flushed(timeoutMs: number): Promise<void> {
    if (this.#underWay === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    this.#flushes.add(resolve);
    await promise;
    clearTimeout(timer);
    this.#flushes.delete(resolve);
  }

  readonly #onWritten = (error?: Error | null): void => {
    this.#underWay -= 1;
    if (error) this.#drop();
    if (this.#underWay > 0) return;
    if (!error) this.#tellOfDropped();
    for (const resolve of this.#flushes) resolve();
  };

  #drop(): void {
    this.#dropped += 1;
    this.#events.publish('log.dropped', { lines: 1 });
  }

  #tellOfDropped(): void {
    const lines = this.#dropped;
    this.#dropped = 0;
    if (lines > 0) this.#events.publish('log.recovered', { lines });
  }
}
