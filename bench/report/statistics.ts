// The few figures that a series of measurements is reduced to. Pure; knows nothing of what was measured.

/** The middle one of the sorted values, or the mean of the two middle ones. Throws where there is none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  const [lower, upper] = sorted.length % 2 === 1 ? [middle, middle] : [middle - 1, middle];
  return (at(sorted, lower) + at(sorted, upper)) / 2;
}

/** The smallest value that `percent` of all values do not exceed (nearest rank, as `ab` has it). Throws where there is none. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = Float64Array.from(values).sort();
  return at(sorted, Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1));
}

/**
 * The median of the rounds' own ratios. Contenders of one round ran next to each other, so what disturbed the machine for a while
 * disturbed both; a ratio of two medians may compare a quiet minute with a noisy one.
 */
export function medianRatio(values: readonly number[], references: readonly number[]): number {
  if (values.length !== references.length) throw new Error('a ratio wants both values of every round');
  return median(values.map((value, round) => value / at(references, round)));
}

function at(values: ArrayLike<number>, index: number): number {
  const value = values[index];
  if (value === undefined) throw new Error('there is no value to take a statistic of');
  return value;
}

/**
 * How much a series has grown from its first moment to its last, as a share of its mean: by the straight line that fits it best (least squares), so that no
 * single value decides. 0 where there are fewer than two moments, or nothing but zeros.
 */
export function fittedGrowth(points: readonly { x: number; y: number }[]): number {
  const [first, last] = [points.at(0), points.at(-1)];
  if (first === undefined || last === undefined || points.length < 2) return 0;
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(points.map(({ x }) => x)), mean(points.map(({ y }) => y))];
  const spread = points.reduce((sum, { x }) => sum + (x - meanX) ** 2, 0);
  if (spread === 0 || meanY === 0) return 0;
  const slope = points.reduce((sum, { x, y }) => sum + (x - meanX) * (y - meanY), 0) / spread;
  return (slope * (last.x - first.x)) / meanY;
}
