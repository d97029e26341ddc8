import { expect, test } from 'vitest';
import { parseQuantity } from '../../../src/cli/cluster/quantity.ts';

test.each([
  ['2', 2],
  ['250m', 0.25],
  ['48123456n', 0.048123456],
  ['1500u', 0.0015],
  ['96Mi', 96 * 2 ** 20],
  ['1.5Gi', 1.5 * 2 ** 30],
  ['131072Ki', 2 ** 27],
  ['129M', 129e6],
  ['128974848000m', 128_974_848],
  ['129e6', 129e6],
  ['1E', 1e18],
  ['12E3', 12_000],
  ['.5', 0.5],
  ['0', 0],
])('%s is %d', (text, value) => {
  expect(parseQuantity(text)).toBeCloseTo(value, 9);
});

test.each(['', 'Mi', '1 Mi', '1mi', '1KI', '1.2.3', 'lots', '1e', 'NaN'])('"%s" is no quantity', (text) => {
  expect(parseQuantity(text)).toBeUndefined();
});
