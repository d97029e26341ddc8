import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Database } from '../../src/shared/postgres/database.ts';
import type { OwnerLook } from '../../src/shared/postgres/statements/takeover.ts';
import { OwnerWatch } from '../../src/worker/owner-watch.ts';

const held: OwnerLook = { isLockFree: false, hasSessions: true, name: 'w' };
const gone: OwnerLook = { isLockFree: true, hasSessions: false, name: 'w' };
/** The lock is free, and a session of its pool is there. */
const returning: OwnerLook = { isLockFree: true, hasSessions: true, name: 'w' };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** A watch that sees these, one after the other, the last one for ever. By its clock a look takes 10 ms, or 100 where the lock is held. */
function watchThatSees(...looks: readonly (OwnerLook | Error)[]) {
  const seen: (OwnerLook | Error)[] = [];
  const query = async () => {
    const look = looks[Math.min(seen.length, looks.length - 1)] ?? held;
    seen.push(look);
    if (look instanceof Error) throw look;
    vi.advanceTimersByTime(look.isLockFree ? 10 : 100);
    return look;
  };
  return { watch: new OwnerWatch({ query } as unknown as Database), seen };
}

test('an owner of which nothing is left is dead after one look; all who ask share it, and who asks a little later', async () => {
  const { watch, seen } = watchThatSees(gone);
  const verdicts = await Promise.all([watch.findDead('7'), watch.findDead('7')]);
  expect([...verdicts, await watch.findDead('7')]).toEqual(Array(3).fill({ name: 'w' }));
  expect(seen).toHaveLength(1);
});

test('Postgres may notice the death later than the broker', async () => {
  const { watch, seen } = watchThatSees(held, held, gone);
  expect(await watch.findDead('7')).toEqual({ name: 'w' });
  expect(seen).toHaveLength(3);
});

test('an owner that has lost its lock alone and takes it again lives', async () => {
  const { watch } = watchThatSees(returning, held, returning, held);
  expect(await watch.findDead('7')).toBeUndefined();
});

test('an owner whose lock stays free is dead, whoever uses its name', async () => {
  const { watch, seen } = watchThatSees(returning);
  expect(await watch.findDead('7')).toEqual({ name: 'w' });
  expect(seen).toHaveLength(4); // free for thirty milliseconds, and for ten more before the verdict
});

test('an answer that did not come is not remembered', async () => {
  const { watch } = watchThatSees(new Error('away'), gone);
  await expect(watch.findDead('7')).rejects.toThrow('away');
  await expect(watch.findDead('7')).resolves.toEqual({ name: 'w' });
});
