import { expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import type { Database } from '../../src/shared/postgres/database.ts';
import type { Claim } from '../../src/shared/postgres/statements/claim.ts';
import type { RecordedJob } from '../../src/shared/postgres/statements/record.ts';
import { ArgsRoom } from '../../src/worker/args-room.ts';
import { Completer } from '../../src/worker/completer.ts';
import { HeldJobs } from '../../src/worker/held-jobs.ts';

const claim = { id: '7', fence: 3, type: 'greet', queue: 'default', trace: null } as Claim;

/** A completer whose statements are answered with these, one after the other. */
function completerThatHears(...answers: readonly unknown[]) {
  const left = [...answers];
  const query = async () => left.shift();
  const completer = new Completer({
    database: { query } as unknown as Database,
    events: new Events(),
    held: new HeldJobs(new ArgsRoom(1_000)),
    presence: { owners: ['1'] },
    onFreed: () => {},
    notes: { lastWords: () => undefined },
    giveUp: new AbortController().signal,
  });
  return { completer, left };
}

const refusal = () => new Map<string, RecordedJob>();
const acceptance = () => new Map<string, RecordedJob>([['7', { state: 'completed', gates: null }]]);

test('an outcome is recorded whose claim was restored by somebody else after it had been refused', async () => {
  const { completer, left } = completerThatHears(refusal(), [], acceptance());
  expect(await completer.record({ id: '7', fence: 3, act: 'complete' }, claim)).toBe('recorded');
  expect(left).toEqual([]);
});

test('an outcome that is refused with its claim in force is fenced', async () => {
  const { completer, left } = completerThatHears(refusal(), [], refusal());
  expect(await completer.record({ id: '7', fence: 3, act: 'complete' }, claim)).toBe('fenced');
  expect(left).toEqual([]);
});
