// How long the pruner rests: four times as long as it worked, and less where jobs come faster than that would delete them.
import { expect, test } from 'vitest';
import { restAfter } from '../../src/worker/maintenance/pruning-pace.ts';

const step = { tookMs: 100, deleted: 1_000, created: 0, sinceMs: 500, isWorthwhile: true };

test('it works a fifth of the time while jobs come more slowly than it deletes them', () => {
  expect(restAfter(step)).toBe(400);
  expect(restAfter({ ...step, created: 500 })).toBe(400);
  expect(restAfter({ ...step, tookMs: 1 })).toBe(50);
});

test('where jobs come faster it keeps ahead of them, and works half of the time at most', () => {
  const created = 1_000; // 2 a millisecond: a step of 1000 every 333 ms is half as many again
  expect(restAfter({ ...step, created })).toBeCloseTo(1_000 / 3 - 100);
  expect(restAfter({ ...step, created: 1_000_000 })).toBe(100);
});

test('a step past jobs that are kept is followed by a full rest', () => {
  expect(restAfter({ ...step, deleted: 3, created: 1_000, isWorthwhile: false })).toBe(400);
});
