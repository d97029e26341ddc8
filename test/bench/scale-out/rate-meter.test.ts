import { expect, test } from 'vitest';
import { RateMeter } from '../../../bench/scale-out/rate-meter.ts';

test('one look tells no rate, two do', () => {
  const meter = new RateMeter();
  expect(meter.perSecond).toBeNull();
  meter.look(100, 0);
  expect(meter.perSecond).toBeNull();
  meter.look(300, 2_000);
  expect(meter.perSecond).toBe(100);
});

test('an answer that is told twice does not make the rate jump', () => {
  const meter = new RateMeter();
  for (const [count, atMs] of [
    [0, 0],
    [200, 2_000],
    [400, 4_000],
    [400, 6_000],
    [800, 8_000],
  ] as const)
    meter.look(count, atMs);
  expect(meter.perSecond).toBe(100);
});

test('what was long ago does not count', () => {
  const meter = new RateMeter();
  for (let second = 0; second <= 60; second += 2)
    meter.look(second < 30 ? second * 1_000 : 30_000, second * 1_000);
  expect(meter.perSecond).toBe(0);
});

test('a count that falls is no negative rate: it begins anew', () => {
  const meter = new RateMeter();
  meter.look(5_000, 0);
  meter.look(6_000, 1_000);
  meter.look(100, 2_000);
  expect(meter.perSecond).toBeNull();
  meter.look(200, 3_000);
  expect(meter.perSecond).toBe(100);
});
