import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Events } from '../../../src/shared/observe/events.ts';
import type { Database } from '../../../src/shared/postgres/database.ts';
import type { SilentOwner } from '../../../src/shared/postgres/statements/maintenance.ts';
import { findSilentOwners } from '../../../src/shared/postgres/statements/maintenance.ts';
import { createRescuer } from '../../../src/worker/maintenance/rescuer.ts';

/** What the advisory locks say now; `away`: Postgres cannot be asked. */
let dead: string[] | 'away';
let isLockFree: boolean;
let rescues: number;
let look: () => Promise<number>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  dead = [];
  isLockFree = true;
  rescues = 0;
  const query = async (statement: unknown): Promise<(SilentOwner | string)[]> => {
    if (dead === 'away') throw new Error('away');
    if (statement === findSilentOwners) return dead.map((owner) => ({ owner, name: '', isLockFree }));
    rescues += 1;
    return ['7'];
  };
  const rescuer = createRescuer({
    database: { query } as unknown as Database,
    events: new Events(),
    onRescued: () => {},
    onFreed: () => {},
  });
  look = async () => {
    vi.advanceTimersByTime(1_000);
    return await rescuer();
  };
});

afterEach(() => {
  vi.useRealTimers();
});

test('an owner that is dead at every look for two seconds has its jobs given back', async () => {
  dead = ['1'];
  await look();
  await look();
  expect(rescues).toBe(0);
  await look();
  expect(rescues).toBe(1);
});

test('an owner that comes back in between is let be', async () => {
  for (const found of [['1'], ['1'], [], ['1'], ['1']]) {
    dead = found;
    await look();
  }
  expect(rescues).toBe(0);
});

test('after a time in which nobody could look nobody is given up for six seconds', async () => {
  dead = ['1'];
  await look();
  dead = 'away';
  for (let second = 0; second < 60; second += 1) await expect(look()).rejects.toThrow('away');
  dead = ['1'];
  for (let second = 0; second < 5; second += 1) await look();
  expect(rescues).toBe(0);
  await look();
  expect(rescues).toBe(1);
});

test('an owner that holds its lock, but whose lease is over, is given six seconds to beat', async () => {
  dead = ['1'];
  isLockFree = false;
  for (let second = 0; second < 6; second += 1) await look();
  expect(rescues).toBe(0);
  await look();
  expect(rescues).toBe(1);
});
