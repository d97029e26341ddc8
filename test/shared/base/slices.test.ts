import { expect, test } from 'vitest';
import { mapInSlices, nextTurn } from '../../../src/shared/base/slices.ts';

test('in one turn of the event loop one of those who wait goes on', async () => {
  const order: string[] = [];
  const turns = [1, 2, 3].map((n) => nextTurn().then(() => order.push(`turn ${n}`)));
  const between = (async () => {
    for (let n = 1; n <= 3; n += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`others ${n}`);
    }
  })();
  await Promise.all([...turns, between]);
  expect(order.indexOf('turn 3')).toBeGreaterThan(order.indexOf('others 2'));
});

test('long work gives way, and its results are in order', async () => {
  let turns = 0;
  let isOver = false;
  const count = async () => {
    while (!isOver) {
      await new Promise((resolve) => setImmediate(resolve));
      turns += 1;
    }
  };
  const counted = count();
  const busyMs = (ms: number) => {
    const until = performance.now() + ms;
    while (performance.now() < until);
  };
  const results = await mapInSlices([1, 2, 3, 4, 5, 6], (item, index) => {
    busyMs(10);
    return item * 10 + index;
  });
  isOver = true;
  await counted;
  expect(results).toEqual([10, 21, 32, 43, 54, 65]);
  expect(turns).toBeGreaterThanOrEqual(5);
});

test('it ends with what is thrown first', async () => {
  const seen: number[] = [];
  const work = mapInSlices([1, 2, 3], (item) => {
    seen.push(item);
    if (item === 2) throw new Error('two');
  });
  await expect(work).rejects.toThrow('two');
  expect(seen).toEqual([1, 2]);
});
