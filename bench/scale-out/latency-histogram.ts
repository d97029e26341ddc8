// Latencies counted into classes that grow by two percent each, from 10 µs to beyond an hour: any number of them in the same memory,
// and a percentile that is at most two percent above the true one.

const SMALLEST_MS = 0.01;
const GROWTH = 1.02;
const CLASSES = 1_000;

export class LatencyHistogram {
  readonly #counts = new Float64Array(CLASSES);
  #count = 0;

  add(ms: number): void {
    const place = Math.ceil(Math.log(Math.max(ms, SMALLEST_MS) / SMALLEST_MS) / Math.log(GROWTH));
    const index = Math.min(place, CLASSES - 1);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#count += 1;
  }

  /** In milliseconds; `NaN` where nothing was counted. */
  percentile(percent: number): number {
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#count));
    let passed = 0;
    for (const [index, count] of this.#counts.entries()) {
      passed += count;
      if (passed >= rank) return SMALLEST_MS * GROWTH ** index;
    }
    return Number.NaN;
  }
}
