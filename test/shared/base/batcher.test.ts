import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { Batcher } from '../../../src/shared/base/batcher.ts';
import { Unavailable } from '../../../src/shared/base/errors.ts';

/** A server that is told when to answer; it returns each item doubled. */
function createServer() {
  const groups: number[][] = [];
  const answers: PromiseWithResolvers<void>[] = [];
  return {
    groups,
    run: async (items: readonly number[]) => {
      groups.push([...items]);
      const answer = Promise.withResolvers<void>();
      answers.push(answer);
      await answer.promise;
      return items.map((item) => item * 2);
    },
    /** Answers the oldest group that waits; the next one has begun when this resolves. */
    answer: async () => {
      answers.shift()?.resolve();
      await nextTurn();
      await nextTurn();
    },
  };
}

const immediately = async (items: readonly number[]) => items.map((item) => item * 2);

test('what is added within one turn of the event loop goes out as one group, each with its own result', async () => {
  const groups: (readonly number[])[] = [];
  const batcher = new Batcher({
    run: (items: readonly number[]) => {
      groups.push(items);
      return immediately(items);
    },
  });
  const results = await Promise.all([1, 2, 3].map((item) => batcher.add(item)));
  expect(results).toEqual([2, 4, 6]);
  expect(await batcher.add(4)).toBe(8);
  expect(groups).toEqual([[1, 2, 3], [4]]);
});

test('what comes while a group is under way waits, and then goes out together and in order', async () => {
  const server = createServer();
  const batcher = new Batcher({ run: server.run });
  const results = [batcher.add(1)];
  await nextTurn();
  results.push(batcher.add(2));
  await nextTurn();
  results.push(batcher.add(3));
  await nextTurn();
  expect(server.groups).toEqual([[1]]);
  await server.answer();
  expect(server.groups).toEqual([[1], [2, 3]]);
  await server.answer();
  expect(await Promise.all(results)).toEqual([2, 4, 6]);
});

test('as many groups as `concurrency` says are under way at once, begun in the order of their items', async () => {
  const server = createServer();
  const batcher = new Batcher({ run: server.run, concurrency: 2, maxItems: 2 });
  const results = Promise.all([1, 2, 3, 4, 5].map((item) => batcher.add(item)));
  await nextTurn();
  await nextTurn();
  await nextTurn();
  expect(server.groups).toEqual([
    [1, 2],
    [3, 4],
  ]);
  await server.answer();
  expect(server.groups).toEqual([[1, 2], [3, 4], [5]]);
  await server.answer();
  await server.answer();
  expect(await results).toEqual([2, 4, 6, 8, 10]);
});

test('no group is larger than `maxItems`', async () => {
  const sizes: number[] = [];
  const batcher = new Batcher({
    run: (items: readonly number[]) => {
      sizes.push(items.length);
      return immediately(items);
    },
    maxItems: 40,
  });
  await Promise.all(Array.from({ length: 100 }, (_, item) => batcher.add(item)));
  expect(sizes).toEqual([40, 40, 20]);
});

test('above `maxPending` an item is refused as Unavailable, and the others are served', async () => {
  const batcher = new Batcher({ run: immediately, maxPending: 2 });
  const first = batcher.add(1);
  const second = batcher.add(2);
  await expect(batcher.add(3)).rejects.toThrow(Unavailable);
  expect(await Promise.all([first, second])).toEqual([2, 4]);
  expect(await batcher.add(4)).toBe(8);
});

describe('a group that is refused', () => {
  class BadItem extends Error {}
  const isItemError = (error: unknown) => error instanceof BadItem;
  const refuseSeven = async (items: readonly number[]) => {
    if (items.includes(7)) throw new BadItem(`among ${items.length}`);
    return immediately(items);
  };

  test('because of one item fails that item alone', async () => {
    const batcher = new Batcher({ run: refuseSeven, isItemError });
    const settled = await Promise.allSettled([5, 6, 7, 8, 9].map((item) => batcher.add(item)));
    expect(settled.map(({ status }) => status)).toEqual([
      'fulfilled',
      'fulfilled',
      'rejected',
      'fulfilled',
      'fulfilled',
    ]);
    expect(settled[2]).toMatchObject({ reason: new BadItem('among 1') });
    expect(settled[4]).toMatchObject({ value: 18 });
  });

  test('for another reason fails as a whole and is not tried again', async () => {
    let runs = 0;
    const batcher = new Batcher({
      run: async (_items: readonly number[]): Promise<number[]> => {
        runs += 1;
        throw new Error('the server is away');
      },
      isItemError,
    });
    const settled = await Promise.allSettled([1, 2].map((item) => batcher.add(item)));
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(runs).toBe(1);
  });

  test('leaves the batcher able to work', async () => {
    const batcher = new Batcher({ run: refuseSeven, isItemError });
    await expect(batcher.add(7)).rejects.toThrow(BadItem);
    expect(await batcher.add(8)).toBe(16);
  });
});

test('a group holds so many bytes at most; an item that is larger goes alone', async () => {
  const groups: (readonly number[])[] = [];
  const batcher = new Batcher({
    run: (items: readonly number[]) => {
      groups.push(items);
      return immediately(items);
    },
    sizeOf: (item) => item,
    maxBytes: 10,
  });
  const items = [4, 6, 1, 50, 3, 7];
  expect(await Promise.all(items.map((item) => batcher.add(item)))).toEqual([8, 12, 2, 100, 6, 14]);
  expect(groups).toEqual([[4, 6], [1], [50], [3, 7]]);
});

test('more bytes than may wait are refused, whatever their number, until those that wait have gone', async () => {
  const batcher = new Batcher({ run: immediately, sizeOf: (item: number) => item, maxPendingBytes: 10 });
  const large = batcher.add(50); // nothing waits: it would be refused for ever
  await expect(batcher.add(1)).rejects.toMatchObject({ name: 'Unavailable', code: 'batch_full' });
  expect(await large).toBe(100);
  expect(await Promise.all([batcher.add(6), batcher.add(4)])).toEqual([12, 8]);
});
