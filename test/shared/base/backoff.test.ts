import { describe, expect, test } from 'vitest';
import { backoffMs, sleep, withDeadline } from '../../../src/shared/base/backoff.ts';

describe('the wait before the next try', () => {
  test('doubles with every failure', () => {
    const waits = [1, 2, 3, 4, 5].map((retry) => backoffMs(retry, { firstMs: 100, maxMs: 1e9, jitter: 0 }));
    expect(waits).toEqual([100, 200, 400, 800, 1600]);
  });

  test.each([7, 41, 1_000, 1e9])('never exceeds the maximum before jitter, at retry %i', (retry) => {
    expect(backoffMs(retry, { firstMs: 100, maxMs: 5_000, jitter: 0 })).toBe(5_000);
  });

  test.each([0, -1])('of retry %i is the first', (retry) => {
    expect(backoffMs(retry, { firstMs: 100, maxMs: 5_000, jitter: 0 })).toBe(100);
  });

  test.each([
    [undefined, 800, 1_200],
    [0.75, 250, 1_750],
  ])('with jitter %s lies within its bounds, and is spread', (jitter, least, most) => {
    const options = { firstMs: 1_000, maxMs: 1_000, ...(jitter === undefined ? {} : { jitter }) };
    const waits = Array.from({ length: 2_000 }, () => backoffMs(1, options));
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(least);
    expect(Math.max(...waits)).toBeLessThanOrEqual(most);
    const quarter = (most - least) / 4; // the chance that 2000 draws miss a quarter is 0.75 ** 2000
    expect(Math.min(...waits)).toBeLessThan(least + quarter);
    expect(Math.max(...waits)).toBeGreaterThan(most - quarter);
  });
});

test('a sleep ends early and without an error when its signal aborts, before or during it', async () => {
  await sleep(60_000, AbortSignal.abort());
  const controller = new AbortController();
  const paused = sleep(60_000, controller.signal);
  controller.abort();
  await paused;
});

describe('a deadline', () => {
  const late = () => new Error('late');

  test('rejects when it comes first', async () => {
    await expect(withDeadline(new Promise(() => {}), 1, late)).rejects.toThrow('late');
  });

  test('hands on what settles in time', async () => {
    expect(await withDeadline(Promise.resolve(7), 60_000, late)).toBe(7);
    await expect(withDeadline(Promise.reject(new Error('own')), 60_000, late)).rejects.toThrow('own');
  });

  test('comes at once when its signal aborts, before or during the wait', async () => {
    const stopping = new AbortController();
    const waiting = withDeadline(new Promise(() => {}), 60_000, late, stopping.signal);
    stopping.abort();
    await expect(waiting).rejects.toThrow('late');
    await expect(withDeadline(new Promise(() => {}), 60_000, late, stopping.signal)).rejects.toThrow('late');
  });

  test('leaves no timer behind', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    await withDeadline(Promise.resolve(), 60_000, late);
    expect(timers()).toBe(before);
  });
});
