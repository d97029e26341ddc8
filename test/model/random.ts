// Random numbers that a seed repeats. Every step of a run has a generator of its own, made from the seed and the number of the step, so that a step
// which is left out changes nothing about the choices of the others.

export class Random {
  #state: number;

  constructor(seed: number, step = 0) {
    this.#state = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul(step + 1, 0xc2b2_ae35);
    for (let round = 0; round < 4; round += 1) this.next(); // seeds that are close are far apart then
  }

  /** At least 0, less than 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  /** A whole number from `from` to `to`, both included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of them; undefined where there is none. */
  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.next() * items.length)];
  }

  /** One of a list that is never empty. */
  one<const T>(items: readonly [T, ...T[]]): T {
    return this.pick(items) ?? items[0];
  }

  /** Up to `most` of them, in an order of chance. */
  some<T>(items: readonly T[], most: number): T[] {
    const left = [...items];
    const taken: T[] = [];
    while (left.length > 0 && taken.length < most)
      taken.push(...left.splice(this.int(0, left.length - 1), 1));
    return taken;
  }

  /** A name, each as often as its weight says. */
  weighted<Name extends string>(weights: readonly (readonly [Name, number])[]): Name | undefined {
    let left = this.next() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of weights) {
      left -= weight;
      if (left < 0) return name;
    }
    return weights.at(-1)?.[0];
  }
}
