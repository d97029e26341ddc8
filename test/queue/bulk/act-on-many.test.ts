// The rate of an act on many jobs.
import { expect, test } from 'vitest';
import { pauseMs, stepSize } from '../../../src/queue/bulk/act-on-many.ts';

test.each([1, 4, 7, 50, 1_000, 10_000])(
  'at %i in a second, steps and their pauses keep to the rate',
  (perSecond) => {
    const step = stepSize(perSecond);
    expect(step).toBeGreaterThanOrEqual(1);
    expect(step).toBeLessThanOrEqual(200);
    for (const tookMs of [0, 3, 500]) {
      const ms = tookMs + pauseMs(step, { perSecond, tookMs });
      expect((step * 1_000) / ms).toBeLessThanOrEqual(perSecond);
    }
  },
);

test('a step without an act, and one that took long, has no pause', () => {
  expect(pauseMs(0, { perSecond: 1, tookMs: 0 })).toBe(0);
  expect(pauseMs(10, { perSecond: 10, tookMs: 5_000 })).toBe(0);
});
