/**
 * Asks one question again and again and keeps the latest answer, so that a slow server delays nothing but its own numbers.
 * Guarantees: one question at a time, each with a deadline; asking takes at most a fifth of the server's time when it is slow.
 */
import { sleep } from '#shared/base/backoff.ts';
import type { Reading } from './reading.ts';
import { ask, notYet } from './reading.ts';

export interface PollerOptions<T> {
  question: (signal: AbortSignal) => Promise<T>;
  intervalMs: number;
  deadlineMs: number;
  /** Called with every answer, as it comes. */
  onReading?: (reading: Reading<T>) => void;
}

/** The rest after an answer that took long, in times of what it took. */
const REST = 4;

export class Poller<T> {
  readonly #options: PollerOptions<T>;
  readonly #stopping = new AbortController();
  readonly #asked = Promise.withResolvers<void>();
  #latest: Reading<T> = notYet;
  #life: Promise<void> | undefined;

  constructor(options: PollerOptions<T>) {
    this.#options = options;
  }

  /** The latest answer; it is as old as the interval, the rest or the deadline, whichever is longest. */
  get latest(): Reading<T> {
    return this.#latest;
  }

  /** Resolves with the first answer, and where it was stopped before. */
  get asked(): Promise<void> {
    return this.#asked.promise;
  }

  start(): void {
    this.#life ??= this.#live();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#asked.resolve();
    await this.#life;
  }

  async #live(): Promise<void> {
    const { question, intervalMs, deadlineMs, onReading } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const startedAt = performance.now();
      const reading = await ask(question, { deadlineMs, signal });
      if (signal.aborted) return; // what was called off says nothing
      this.#latest = reading;
      onReading?.(reading);
      this.#asked.resolve();
      const tookMs = performance.now() - startedAt;
      await sleep(Math.max(intervalMs - tookMs, reading.ok ? tookMs * REST : 0), signal);
    }
  }
}
