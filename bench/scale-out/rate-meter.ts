// A rate from a counter that is looked at now and then: over the last seconds, so that a cached answer does not make it jump.
// What falls (rows were pruned, the counter began anew) starts the measurement again and is never taken for a negative rate.

const WINDOW_MS = 6_000;

export class RateMeter {
  readonly #seen: { atMs: number; count: number }[] = [];

  /** `atMs` on any clock that only goes forward. */
  look(count: number, atMs: number): void {
    const last = this.#seen.at(-1);
    if (last !== undefined && count < last.count) this.#seen.length = 0;
    this.#seen.push({ atMs, count });
    // One that is older than the window is kept: the rate spans the window, not less.
    while (this.#seen.length > 2 && atMs - (this.#seen[1]?.atMs ?? 0) >= WINDOW_MS) this.#seen.shift();
  }

  /** Per second; null until it was looked at twice. */
  get perSecond(): number | null {
    const [first] = this.#seen;
    const last = this.#seen.at(-1);
    if (first === undefined || last === undefined || last.atMs - first.atMs < 500) return null;
    return ((last.count - first.count) * 1_000) / (last.atMs - first.atMs);
  }
}
