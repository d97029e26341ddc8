import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../src/jobs/define.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import type { Claim } from '../../src/shared/postgres/statements/claim.ts';
import type { Ending } from '../../src/worker/ending.ts';
import { toOutcome } from '../../src/worker/ending.ts';

const claim: Claim = {
  id: '7',
  type: 'test-job',
  queue: 'default',
  args: {},
  argsBytes: 2,
  attempt: 2,
  maxAttempts: 5,
  claimNumber: 1,
  fence: 3,
  waitMs: 0,
  dueAt: 0,
  crashes: 0,
  trace: null,
  leftMs: 1_000,
};
const definition = defineJob({
  type: 'test-job',
  args: z.strictObject({}),
  perform: async () => {},
}) as JobDefinition;
const own = { id: '7', fence: 3 };
const failed: Ending = { kind: 'failed', message: 'no', retry: 100 };
const snoozed: Ending = { kind: 'snoozed', delayMs: 100 };
const reason = 'the next attempt would begin after its time over all attempts';

test('a failure or a snooze that would run again after the time over all attempts is a discard', () => {
  expect(toOutcome(failed, claim, definition, 899)).toMatchObject({ act: 'fail', delayMs: 100 });
  expect(toOutcome(failed, claim, definition, 900)).toEqual({
    ...own,
    act: 'discard',
    error: `no (not tried again: ${reason})`,
  });
  expect(toOutcome(snoozed, claim, definition, 899)).toMatchObject({ act: 'snooze', delayMs: 100 });
  expect(toOutcome(snoozed, claim, definition, 900)).toEqual({
    ...own,
    act: 'discard',
    error: `timeout: ${reason}`,
  });
});

test('what ends, or is handed back, is as for any other job', () => {
  expect(toOutcome({ kind: 'succeeded', output: 1 }, claim, definition, 2_000).act).toBe('complete');
  expect(toOutcome({ kind: 'drained', handlerEnded: true }, claim, definition, 2_000)).toEqual({
    ...own,
    act: 'handBack',
  });
  expect(toOutcome(snoozed, { ...claim, leftMs: null }, definition, 2_000).act).toBe('snooze');
});
