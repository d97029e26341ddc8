/**
 * The isolates of one job type: started when they are needed, kept for the next attempt, ended when they idle.
 *
 * Guarantees: never more than `max` at once, those that end among them; attempts wait for their turn in order and leave at their signal; no isolate
 * outlives `close`.
 *
 * Own code and not piscina (5.3.2 of August 2026, well kept): that knows threads alone, ends an idle one without letting it dispose of its services, and has
 * no way for what a handler tells before its end. Processes need a pool in any case; this one has both.
 */
import { aborted } from '#shared/base/backoff.ts';
import type { Isolate } from './isolate.ts';

export interface IsolatePoolOptions {
  /** How many there are at most. */
  max: number;
  /** How long one that has nothing to do is kept, in milliseconds; 0: it is used once. */
  idleMs: number;
  start: () => Isolate;
}

export class IsolatePool {
  readonly #options: IsolatePoolOptions;
  readonly #all = new Set<Isolate>();
  /** The last one used last, with what ends it. */
  readonly #idle = new Map<Isolate, NodeJS.Timeout>();
  /** At most as many as attempts run here. */
  readonly #waiting: (() => void)[] = [];
  #isClosed = false;

  constructor(options: IsolatePoolOptions) {
    this.#options = options;
  }

  /** Resolves with an isolate, which has to be given back; undefined where the signal aborts before, or the pool is closed. */
  async acquire(signal: AbortSignal): Promise<Isolate | undefined> {
    const leaving = aborted(signal);
    while (!signal.aborted && !this.#isClosed) {
      const isolate = this.#takeIdle() ?? this.#startOne();
      if (isolate !== undefined) return isolate;
      const { promise: turn, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await Promise.race([turn, leaving]);
      const place = this.#waiting.indexOf(resolve);
      if (place >= 0) this.#waiting.splice(place, 1);
      else if (signal.aborted) this.#callNext(); // it was this one's turn
    }
    return undefined;
  }

  giveBack(isolate: Isolate): void {
    const { idleMs } = this.#options;
    if (this.#isClosed) void isolate.end();
    else if (idleMs === 0 || !isolate.isUsable) void isolate.close();
    else {
      const idling = setTimeout(() => {
        this.#idle.delete(isolate);
        void isolate.close();
      }, idleMs);
      this.#idle.set(isolate, idling);
      this.#callNext();
    }
  }

  /** Ends all of them. Resolves when they are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const resolve of this.#waiting) resolve();
    const busy = [...this.#all].filter((isolate) => !this.#idle.has(isolate));
    const idle = [...this.#idle.keys()];
    for (const idling of this.#idle.values()) clearTimeout(idling);
    this.#idle.clear();
    await Promise.all([...idle.map((isolate) => isolate.close()), ...busy.map((isolate) => isolate.end())]);
  }

  #takeIdle(): Isolate | undefined {
    const last = [...this.#idle].at(-1);
    if (last === undefined) return undefined;
    const [isolate, idling] = last;
    clearTimeout(idling);
    this.#idle.delete(isolate);
    return isolate.isUsable ? isolate : this.#takeIdle();
  }

  #startOne(): Isolate | undefined {
    if (this.#all.size >= this.#options.max) return undefined;
    const isolate = this.#options.start();
    this.#all.add(isolate);
    void isolate.gone.then(() => {
      this.#all.delete(isolate);
      clearTimeout(this.#idle.get(isolate));
      this.#idle.delete(isolate);
      this.#callNext();
    });
    return isolate;
  }

  #callNext(): void {
    this.#waiting.shift()?.();
  }
}
