import { expect, test } from 'vitest';
import { LatencyHistogram } from '../../../bench/scale-out/latency-histogram.ts';

test('percentiles are at most two percent above the true ones', () => {
  const histogram = new LatencyHistogram();
  for (let ms = 1; ms <= 1_000; ms += 1) histogram.add(ms);
  for (const percent of [1, 50, 90, 99, 100]) {
    const truth = percent * 10;
    expect(histogram.percentile(percent)).toBeGreaterThanOrEqual(truth * 0.999);
    expect(histogram.percentile(percent)).toBeLessThanOrEqual(truth * 1.021);
  }
});

test('the shortest and the longest have their place', () => {
  const histogram = new LatencyHistogram();
  histogram.add(0);
  expect(histogram.percentile(50)).toBe(0.01);
  histogram.add(1e12);
  expect(histogram.percentile(100)).toBeGreaterThan(3_600_000);
});

test('nothing has no percentile', () => {
  expect(new LatencyHistogram().percentile(50)).toBeNaN();
});
