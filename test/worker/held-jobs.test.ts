import { expect, test } from 'vitest';
import type { Sql } from '../../src/shared/postgres/database.ts';
import type { Claim } from '../../src/shared/postgres/statements/claim.ts';
import { ArgsRoom } from '../../src/worker/args-room.ts';
import { HeldJobs } from '../../src/worker/held-jobs.ts';

const claim = { id: '7', fence: 3, claimNumber: 1, argsBytes: 100 } as Claim;
/** Nothing is held: no statement is made. */
const sql = (() => {
  throw new Error('no statement was expected');
}) as unknown as Sql;

test('a claim that was answered after a restoration it has not seen is not held', async () => {
  const held = new HeldJobs(new ArgsRoom(1_000));
  const askedAt = held.restorations;
  await held.restoreAll(sql, ['1']);
  expect(() => held.hold([claim], askedAt)).toThrow('came after the presence was lost');
  expect(held.size).toBe(0);
  held.hold([], askedAt); // nothing was claimed: nothing is lost
  held.hold([claim], held.restorations);
  expect(held.ids).toEqual(['7']);
});

test('a job that is not held any more is not restored', async () => {
  const held = new HeldJobs(new ArgsRoom(1_000));
  held.hold([claim]);
  held.release(claim);
  await held.restore(sql, ['7'], ['1']); // no statement is made
});
