import { expect, test } from 'vitest';
import { Unrecoverable } from '../../src/shared/base/errors.ts';
import { decideRetry } from '../../src/worker/retry-policy.ts';

class Declined extends Error {}

test('the first rule that fits counts, by class or by name', () => {
  const retry = [
    { on: Declined, maxAttempts: 2, delayMs: 5 },
    { on: 'TypeError', backoffMs: (attempt: number) => attempt * 10 },
    { on: Error, delayMs: 7 },
  ];
  expect(decideRetry({ retry }, new Declined(), 1)).toBe(5);
  expect(decideRetry({ retry }, new Declined(), 2)).toBe(false);
  expect(decideRetry({ retry }, new TypeError(), 3)).toBe(30);
  expect(decideRetry({ retry }, new RangeError(), 9)).toBe(7);
  expect(decideRetry({ retry }, 'a text', 1)).toBeUndefined();
});

test('a function decides, and one that throws or says nonsense counts for nothing', () => {
  const decide = (retry: (error: unknown, attempt: number) => number | false | undefined) =>
    decideRetry({ retry }, new Error('x'), 4);
  expect(decide((_error, attempt) => attempt)).toBe(4);
  expect(decide(() => false)).toBe(false);
  expect(decide(() => undefined)).toBeUndefined();
  expect(decide(() => Number.NaN)).toBeUndefined();
  expect(
    decide(() => {
      throw new Error('in the policy');
    }),
  ).toBeUndefined();
});

test('an unrecoverable error is never retried, whatever the policy says', () => {
  expect(decideRetry({ retry: () => 5 }, new Unrecoverable('x'), 1)).toBe(false);
  expect(decideRetry({}, new Error('x'), 1)).toBeUndefined();
});
