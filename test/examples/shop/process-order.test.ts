import { describe, expect, test } from 'vitest';
import { processOrder, totalInCents } from '../../../examples/shop/process-order.ts';
import { parseArguments } from '../../../src/shared/job/arguments.ts';
import { fits } from '../../support/fitting-arguments.ts';

const item = (quantity: number, unitCents: number) => ({
  sku: 'SKU-1',
  name: 'Carrot crate',
  quantity,
  unitCents,
});

describe('the total of an order', () => {
  test.each([
    ['nothing', [], 0],
    ['one item', [item(3, 1_999)], 5_997],
    ['several items', [item(1, 10), item(2, 20), item(3, 30)], 140],
    ['a free item', [item(5, 0)], 0],
    ['the largest total that is exact', [item(1, Number.MAX_SAFE_INTEGER)], Number.MAX_SAFE_INTEGER],
  ])('of %s is exact', (_, items, total) => {
    expect(totalInCents(items)).toBe(total);
  });

  test.each([
    ['a product that is too large', [item(2 ** 30, 2 ** 30)]],
    ['a sum that is too large', [item(1, Number.MAX_SAFE_INTEGER), item(1, 1)]],
    [
      'a product that was rounded, in a total that looks exact',
      [item(1, -4), item(3, 3_002_399_751_580_331)],
    ],
    ['half a cent', [item(2, 0.5)]],
    ['half an item', [item(0.5, 2)]],
    ['a quantity that is not a number', [{ ...item(1, 1), quantity: '3' as unknown as number }]],
  ])('is refused for %s', (_, items) => {
    expect(() => totalInCents(items)).toThrow(RangeError);
  });
});

describe('the order ID', () => {
  test.each([
    [1, '1'],
    ['42', '42'],
    ['007', '7'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    ['9223372036854775807', '9223372036854775807'],
  ])('%j is accepted as %j', (orderId, normalised) => {
    expect(parseArguments(processOrder, { orderId })).toEqual({ orderId: normalised });
  });

  test.each([
    0,
    '0',
    '000',
    -1,
    '-1',
    1.5,
    2 ** 53,
    '9223372036854775808',
    '1e3',
    '0x10',
    ' 1',
    '',
    null,
    [1],
    '1; drop table',
  ])('%j is refused', async (orderId) => {
    expect(await fits(processOrder, { orderId })).toBe(false);
  });

  test('must be there, alone', async () => {
    expect(await fits(processOrder, {})).toBe(false);
    expect(await fits(processOrder, { orderId: 1, more: 1 })).toBe(false);
  });
});
