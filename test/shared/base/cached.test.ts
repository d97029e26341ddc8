import { afterEach, expect, test, vi } from 'vitest';
import { cached } from '../../../src/shared/base/cached.ts';

afterEach(() => {
  vi.useRealTimers();
});

test('callers of the same moment share one load, and its result holds', async () => {
  let loads = 0;
  const get = cached(async () => {
    loads += 1;
    return loads;
  }, 60_000);
  expect(await Promise.all([get(), get(), get()])).toEqual([1, 1, 1]);
  expect(await get()).toBe(1);
});

test('a result that is no longer fresh is loaded again', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  let loads = 0;
  const get = cached(async () => {
    loads += 1;
    return loads;
  }, 100);
  expect(await get()).toBe(1);
  vi.advanceTimersByTime(99);
  expect(await get()).toBe(1);
  vi.advanceTimersByTime(1);
  expect(await get()).toBe(2);
});

test('a load that took longer than its result is fresh holds as long as it took', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  let loads = 0;
  const get = cached(async () => {
    loads += 1;
    vi.advanceTimersByTime(500);
    return loads;
  }, 100);
  expect(await get()).toBe(1);
  vi.advanceTimersByTime(499);
  expect(await get()).toBe(1);
  vi.advanceTimersByTime(1);
  expect(await get()).toBe(2);
});

test('a failed load is told to those who waited and is tried again', async () => {
  let loads = 0;
  const get = cached(async () => {
    loads += 1;
    if (loads === 1) throw new Error('away');
    return loads;
  }, 60_000);
  await expect(Promise.all([get(), get()])).rejects.toThrow('away');
  expect(await get()).toBe(2);
});
