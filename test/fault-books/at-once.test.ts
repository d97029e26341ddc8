import { expect, test } from 'vitest';
import { mostAtOnce, spanOf } from '../faults/books/at-once.ts';

const run = { key: 'a', jobId: '1', attempt: 1, fence: 1, pid: 7, startedAt: 10 };

test('a run of a killed process ends when that was killed', () => {
  expect(spanOf(run, new Map([[7, 15]]))).toEqual({ from: 10, to: 15 });
});

test('a run that has ended does not last until its process was killed', () => {
  expect(spanOf({ ...run, endedAt: 12 }, new Map([[7, 15]]))).toEqual({ from: 10, to: 12 });
});

test('the most that run at once share one moment, not one another in turn', () => {
  const spans = [
    { from: 0, to: 10 },
    { from: 5, to: 15 },
    { from: 12, to: 20 },
    { from: 6, to: 7 },
  ];
  expect(mostAtOnce(spans)).toBe(3);
});

test('a run that begins where another ends does not run at once with it', () => {
  expect(
    mostAtOnce([
      { from: 0, to: 10 },
      { from: 10, to: 20 },
    ]),
  ).toBe(1);
});
