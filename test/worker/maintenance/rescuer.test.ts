import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Database } from '../../../src/shared/postgres/database.ts';
import { findDeadOwners } from '../../../src/shared/postgres/job-maintenance.ts';
import { createRescuer } from '../../../src/worker/maintenance/rescuer.ts';

/** What the advisory locks say now; `away`: Postgres cannot be asked. */
let dead: string[] | 'away';
let rescues: number;
let look: () => Promise<number>;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] });
  dead = [];
  rescues = 0;
  const query = async (statement: unknown): Promise<string[]> => {
    if (dead === 'away') throw new Error('away');
    if (statement === findDeadOwners) return dead;
    rescues += 1;
    return ['7'];
  };
  const rescuer = createRescuer({ database: { query } as unknown as Database, onRescued: () => {} });
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

test('after a time in which nobody could look, an owner is given its two seconds again', async () => {
  dead = ['1'];
  await look();
  dead = 'away';
  for (let second = 0; second < 60; second += 1) await expect(look()).rejects.toThrow('away');
  dead = ['1'];
  await look();
  await look();
  expect(rescues).toBe(0);
  await look();
  expect(rescues).toBe(1);
});
