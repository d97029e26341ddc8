import { afterEach, expect, test, vi } from 'vitest';
import { cached, kept } from '../../../src/shared/base/cached.ts';

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

test('what is kept is handed out while the next loads behind it, and waited for when it is stale', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  let loads = 0;
  let answer: PromiseWithResolvers<number> = Promise.withResolvers();
  const get = kept(
    () => {
      loads += 1;
      answer = Promise.withResolvers();
      return answer.promise;
    },
    { freshMs: 100, staleMs: 1_000 },
  );
  const first = get();
  answer.resolve(1);
  expect(await first).toBe(1);
  vi.advanceTimersByTime(100);
  expect(await Promise.all([get(), get()])).toEqual([1, 1]); // the load goes on
  expect(loads).toBe(2);
  answer.resolve(2);
  await answer.promise;
  expect(await get()).toBe(2);
  vi.advanceTimersByTime(500);
  expect(await get()).toBe(2);
  answer.reject(new Error('away')); // nobody hears of it
  await answer.promise.catch(() => {});
  expect(await get()).toBe(2);
  vi.advanceTimersByTime(1_001);
  const stale = get();
  answer.reject(new Error('still away'));
  await expect(stale).rejects.toThrow('still away');
});
