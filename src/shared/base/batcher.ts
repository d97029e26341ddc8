/**
 * Group commit: items that come within one turn of the event loop, or while earlier groups are under way, go to the server as one
 * statement.
 *
 * Guarantees: groups start in the order of their items, and with `concurrency` 1 the order is never changed; every item settles
 * with its own result; an item that the server refuses does not fail its neighbours (the group is split until it stands alone);
 * what waits and what one group holds are bounded, in items and, where `sizeOf` tells their sizes, in bytes. Knows nothing of Postgres or RabbitMQ.
 */
import { setImmediate } from 'node:timers';
import { Unavailable } from './errors.ts';

const MEBIBYTE = 1_048_576;

export interface BatcherOptions<Item, Result> {
  /**
   * Handles all items together and returns their results in the same order; or throws, and nothing was done. `waitedMs`: how long the
   * first of them has waited for earlier groups; take it off the deadline where somebody waits for the answer.
   */
  run: (items: readonly Item[], waitedMs: number) => Promise<readonly Result[]>;
  /** Whether this error is the fault of one of the items, so that it is worth trying the halves. */
  isItemError?: (error: unknown) => boolean;
  /** Items in one group at most. Defaults to 1000. */
  maxItems?: number;
  /** Items that may wait; one more is refused with `Unavailable`. Defaults to 100 000. */
  maxPending?: number;
  /** What an item takes, in bytes. Defaults to nothing: items are bounded by their number alone. */
  sizeOf?: (item: Item) => number;
  /** Bytes in one group at most; an item that is larger goes alone. Defaults to 4 MiB. */
  maxBytes?: number;
  /** Bytes that may wait; an item that would exceed them is refused with `Unavailable`, unless nothing waits. Defaults to 64 MiB. */
  maxPendingBytes?: number;
  /** Groups under way at once. Defaults to 1. */
  concurrency?: number;
}

interface Waiting<Item, Result> {
  item: Item;
  bytes: number;
  since: number;
  resolve: (result: Result) => void;
  reject: (error: unknown) => void;
}

export class Batcher<Item, Result> {
  readonly #run: BatcherOptions<Item, Result>['run'];
  readonly #isItemError: (error: unknown) => boolean;
  readonly #maxItems: number;
  readonly #maxPending: number;
  readonly #sizeOf: (item: Item) => number;
  readonly #maxBytes: number;
  readonly #maxPendingBytes: number;
  readonly #concurrency: number;
  #waiting: Waiting<Item, Result>[] = [];
  #waitingBytes = 0;
  #underWay = 0;
  #scheduled = false;

  constructor(options: BatcherOptions<Item, Result>) {
    this.#run = options.run;
    this.#isItemError = options.isItemError ?? (() => false);
    this.#maxItems = options.maxItems ?? 1_000;
    this.#maxPending = options.maxPending ?? 100_000;
    this.#sizeOf = options.sizeOf ?? (() => 0);
    this.#maxBytes = options.maxBytes ?? 4 * MEBIBYTE;
    this.#maxPendingBytes = options.maxPendingBytes ?? 64 * MEBIBYTE;
    this.#concurrency = options.concurrency ?? 1;
  }

  /** Resolves with the item's own result; rejects with its own error, or with the error of the whole group. */
  add(item: Item): Promise<Result> {
    if (this.#waiting.length >= this.#maxPending) {
      return Promise.reject(new Unavailable('batch_full', `${this.#maxPending} items are waiting already`));
    }
    const bytes = this.#sizeOf(item);
    if (this.#waiting.length > 0 && this.#waitingBytes + bytes > this.#maxPendingBytes) {
      return Promise.reject(new Unavailable('batch_full', `${this.#waitingBytes} bytes are waiting already`));
    }
    this.#waitingBytes += bytes;
    return new Promise<Result>((resolve, reject) => {
      this.#waiting.push({ item, bytes, since: performance.now(), resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay >= this.#concurrency || this.#waiting.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      void this.#flush();
    });
  }

  async #flush(): Promise<void> {
    const group = this.#takeGroup();
    if (group.length === 0) return;
    this.#underWay += 1;
    this.#schedule();
    await this.#settle(group);
    this.#underWay -= 1;
    this.#schedule();
  }

  /** The oldest items, as many as fit; at least one. */
  #takeGroup(): Waiting<Item, Result>[] {
    const most = Math.min(this.#waiting.length, this.#maxItems);
    let count = 0;
    let total = 0;
    for (; count < most; count += 1) {
      const { bytes } = this.#waiting[count] as Waiting<Item, Result>;
      if (count > 0 && total + bytes > this.#maxBytes) break;
      total += bytes;
    }
    this.#waitingBytes -= total;
    return this.#waiting.splice(0, count);
  }

  async #settle(group: readonly Waiting<Item, Result>[]): Promise<void> {
    try {
      const waitedMs = performance.now() - (group[0]?.since ?? 0);
      const items = group.map(({ item }) => item);
      const results = await this.#run(items, waitedMs);
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as Result);
    } catch (error) {
      if (group.length === 1 || !this.#isItemError(error)) {
        for (const { reject } of group) reject(error);
        return;
      }
      const middle = group.length >> 1;
      await this.#settle(group.slice(0, middle));
      await this.#settle(group.slice(middle));
    }
  }
}
