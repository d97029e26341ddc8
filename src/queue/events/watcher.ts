/**
 * One who watches: what has happened and it has not taken yet.
 *
 * Guarantees: what waits is bounded in bytes; who lets more come together, or takes nothing for a minute, is told so (`reset`) and gets nothing more. Knows nothing of Postgres.
 */
import type { WatchItem } from '#shared/job/job-event.ts';

const MAX_WAITING_BYTES = 1_048_576;
const MAX_STANDING_MS = 60_000;

export class Watcher {
  #waiting: WatchItem[] = [];
  #bytes = 0;
  #ended = false;
  #takenAt = performance.now();
  #woken = Promise.withResolvers<void>();

  /** False where nothing more is to come. */
  push(item: WatchItem, bytes: number): boolean {
    if (this.#ended) return false;
    if (this.#waiting.length === 0) this.#takenAt = performance.now();
    const stands = performance.now() - this.#takenAt > MAX_STANDING_MS;
    if (stands || this.#bytes + bytes > MAX_WAITING_BYTES) {
      this.#waiting = [{ kind: 'reset', reason: 'slow', position: item.position }];
      this.end();
      return false;
    }
    if (item.kind === 'idle' && this.#waiting.at(-1)?.kind === 'idle') this.#waiting.pop();
    else this.#bytes += bytes;
    this.#waiting.push(item);
    this.#woken.resolve();
    return true;
  }

  /** Has half of what it may: it needs a moment. */
  get isBehind(): boolean {
    return !this.#ended && this.#bytes > MAX_WAITING_BYTES / 2;
  }

  /** What waits still is taken, and then no more comes. */
  end(): void {
    this.#ended = true;
    this.#woken.resolve();
  }

  /** All that comes, until the end. */
  async *items(): AsyncGenerator<WatchItem, void, undefined> {
    for (;;) {
      const items = this.#waiting;
      this.#waiting = [];
      this.#bytes = 0;
      this.#takenAt = performance.now();
      this.#woken = Promise.withResolvers();
      yield* items;
      if (this.#waiting.length > 0) continue;
      if (this.#ended) return;
      await this.#woken.promise;
    }
  }
}
