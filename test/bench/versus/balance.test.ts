// The balance of the fault comparison: what counts as lost, stuck, run again and run twice at once.
import { describe, expect, test } from 'vitest';
import { strikeBalance } from '../../../bench/versus/faults/balance.ts';

const accepted = (key: string) => ({ key, at: 0, outcome: 'accepted' as const, ms: 1 });
const none = { submits: [], runs: [], held: new Set<string>(), ends: new Map<number, number>() };

describe('the balance of the fault comparison', () => {
  test('counts an accepted job as lost that never ended and that nobody holds', () => {
    const runs = [{ key: 'started', pid: 1, startedAt: 1 }];
    const submits = [accepted('started'), accepted('never')];
    expect(strikeBalance({ ...none, submits, runs })).toMatchObject({ accepted: 2, lost: 2, stuck: 0 });
  });

  test('counts it as stuck while the system holds it', () => {
    const held = new Set(['waiting']);
    expect(strikeBalance({ ...none, submits: [accepted('waiting')], held })).toMatchObject({
      lost: 0,
      stuck: 1,
    });
  });

  test('expects nothing of a job that was refused or not answered', () => {
    const submits = (['refused', 'unanswered'] as const).map((outcome) => ({ ...accepted('k'), outcome }));
    expect(strikeBalance({ ...none, submits })).toMatchObject({ accepted: 0, lost: 0, stuck: 0 });
  });

  test('tells a start after the end from a start while the first run lives', () => {
    const runs = [
      { key: 'again', pid: 1, startedAt: 1, endedAt: 2 },
      { key: 'again', pid: 2, startedAt: 3, endedAt: 4 },
      { key: 'twice', pid: 1, startedAt: 1, endedAt: 9 },
      { key: 'twice', pid: 2, startedAt: 5, endedAt: 8 },
    ];
    expect(strikeBalance({ ...none, runs })).toMatchObject({
      extraRuns: 2,
      startedAfterEnd: 1,
      overlapping: 1,
    });
  });

  test('lets the runs of a killed process end with it', () => {
    const runs = [
      { key: 'orphan', pid: 1, startedAt: 1 },
      { key: 'orphan', pid: 2, startedAt: 5, endedAt: 6 },
    ];
    expect(strikeBalance({ ...none, runs }).overlapping).toBe(1);
    expect(strikeBalance({ ...none, runs, ends: new Map([[1, 4]]) }).overlapping).toBe(0);
  });
});
