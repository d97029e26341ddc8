import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, expect, test, vi } from 'vitest';
import { actOnChosen } from '../../../src/api/dashboard/act-on-chosen.ts';
import { Conflict, Unavailable } from '../../../src/shared/base/errors.ts';

const ids = Array.from({ length: 200 }, (_, n) => String(n));

afterEach(() => {
  vi.useRealTimers();
});

test('five are acted on at a time', async () => {
  let acting = 0;
  const atOnce: number[] = [];
  await actOnChosen(ids, async () => {
    acting += 1;
    atOnce.push(acting);
    await nextTurn();
    acting -= 1;
  });
  expect(atOnce).toHaveLength(200);
  expect(Math.max(...atOnce)).toBe(5);
});

test('after twenty seconds none is begun any more, and those that are left are told', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const begun: string[] = [];
  const failures = await actOnChosen(ids, async (id) => {
    begun.push(id);
    await nextTurn();
    vi.advanceTimersByTime(1_000);
  });
  expect(begun).toEqual(ids.slice(0, 25)); // the first five, and one after each second
  expect(failures.map(({ id }) => id)).toEqual(ids.slice(25));
  expect(new Set(failures.map(({ reason }) => reason))).toEqual(
    new Set(['the others took too long: try again']),
  );
});

test('an outage ends an act on chosen jobs, and its error is not told', async () => {
  const asked: string[] = [];
  const failures = await actOnChosen(ids, async (id) => {
    asked.push(id);
    if (Number(id) >= 10) throw new Unavailable('postgres_unavailable', 'connect ECONNREFUSED 10.0.0.7:5432');
  });
  expect(asked.length).toBeLessThan(20);
  expect(failures.map(({ id }) => id)).toEqual(ids.slice(10));
  expect(JSON.stringify(failures)).not.toMatch(/10\.0\.0\.7/);
});

test('what forbids it for one job is told, and the others are acted on', async () => {
  const failures = await actOnChosen(['1', '2', '3', '4'], async (id) => {
    if (id === '2') throw new Conflict('state_forbids', 'job 2 is running and cannot be deleted');
    if (id === '3') throw new Unavailable('job_busy', 'job 3 is just changing');
  });
  expect(failures).toEqual([
    { id: '2', reason: 'job 2 is running and cannot be deleted' },
    { id: '3', reason: 'job 3 is just changing' },
  ]);
});

test('what nobody has foreseen is no reason of a job', async () => {
  const broken = async () => {
    throw new TypeError('x is undefined');
  };
  await expect(actOnChosen(['1'], broken)).rejects.toThrow('x is undefined');
});
