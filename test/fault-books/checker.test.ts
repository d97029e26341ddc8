// The checker of the fault runs must see every kind of damage, or its verdicts are worth nothing.
import { describe, expect, test } from 'vitest';
import type { Books } from '../faults/books/checker.ts';
import { checkBooks, percentile } from '../faults/books/checker.ts';
import { toRuns } from '../faults/books/effect-book.ts';

const submits: Books['submits'] = [
  { key: 'a', at: 0, phase: 'invoke' },
  { key: 'a', at: 1, phase: 'ok', jobId: '1' },
];
const run = { key: 'a', jobId: '1', attempt: 1, fence: 1, pid: 7, startedAt: 10, endedAt: 20 };
const job = { id: '1', key: 'a', state: 'completed', attempt: 1, fence: 1 };
const good: Books = {
  submits,
  runs: [run],
  jobs: [job],
  acceptances: [{ jobId: '1', fence: 1 }],
  ends: new Map(),
};
const unknown = { key: 'b', at: 2, phase: 'invoke' as const };

test('books that agree show no damage', () => {
  expect(checkBooks(good)).toEqual({
    attempted: 1,
    acknowledged: 1,
    completed: 1,
    lost: [],
    ghosts: [],
    duplicateJobs: [],
    recovered: 0,
    runsAfterSuccess: [],
    wronglyAccepted: [],
    extraRuns: 0,
    overlaps: [],
    burned: [],
    uncharged: [],
    unfinished: [],
    takeoverMs: [],
  });
});

describe('the checker sees', () => {
  test.each<[string, Partial<Books>, object]>([
    ['an acknowledged job without a row', { jobs: [], runs: [], acceptances: [] }, { lost: ['a'] }],
    [
      'an acknowledged job that was discarded',
      { jobs: [{ ...job, state: 'discarded' }], acceptances: [] },
      { lost: ['a'] },
    ],
    ['a job that waits for ever', { jobs: [{ ...job, state: 'available' }] }, { unfinished: ['1'] }],
    ['a job that nobody asked for', { submits: [] }, { ghosts: ['a'] }],
    ['two jobs for one key', { jobs: [job, { ...job, id: '2' }] }, { duplicateJobs: ['a'] }],
    [
      'a job whose answer was never heard',
      { submits: [...submits, unknown], jobs: [job, { ...job, id: '2', key: 'b' }] },
      { recovered: 1 },
    ],
    [
      'a run that started after the success',
      { runs: [run, { ...run, fence: 2, attempt: 2, startedAt: 30, endedAt: 40 }] },
      { runsAfterSuccess: ['1/2'], extraRuns: 1 },
    ],
    [
      'a second completion',
      { acceptances: [...good.acceptances, { jobId: '1', fence: 2 }] },
      { wronglyAccepted: ['1'] },
    ],
    ['a completion without a handler that ran', { runs: [] }, { burned: ['1'] }],
    [
      'two runs at once',
      { runs: [run, { ...run, fence: 2, pid: 8, startedAt: 15, endedAt: 25 }] },
      { overlaps: ['1/1+2'] },
    ],
    ['an attempt that was charged without a start', { jobs: [{ ...job, attempt: 2 }] }, { burned: ['1'] }],
  ])('%s', (_, damage, figures) => {
    expect(checkBooks({ ...good, ...damage })).toMatchObject(figures);
  });
});

test('a run of a killed process ends with it, and the takeover is counted from there', () => {
  const orphan = { key: 'a', jobId: '1', attempt: 1, fence: 1, pid: 7, startedAt: 10 };
  const next = { ...run, fence: 2, attempt: 2, pid: 8, startedAt: 130, endedAt: 140 };
  const figures = checkBooks({ ...good, runs: [orphan, next], ends: new Map([[7, 100]]) });
  expect(figures).toMatchObject({ overlaps: [], takeoverMs: [30], extraRuns: 1 });
});

test.each([
  ['long after its start', 130, ['1']],
  ['too soon for anybody to be told of it', 90, []],
])('a start counts in the attempts, unless its process is killed %s', (_, killedAt, uncharged) => {
  const orphan = { key: 'a', jobId: '1', attempt: 1, fence: 1, pid: 7, startedAt: 10 };
  const next = { ...run, fence: 2, pid: 8, startedAt: 150, endedAt: 160 };
  const figures = checkBooks({ ...good, runs: [orphan, next], ends: new Map([[7, killedAt]]) });
  expect(figures.uncharged).toEqual(uncharged);
});

test('the lines of a process become runs, also where the end is missing', () => {
  const line = { key: 'a', jobId: '1', attempt: 1, fence: 1, pid: 7 };
  const lines = [
    { ...line, phase: 'start' as const, seq: 1, at: 5 },
    { ...line, phase: 'end' as const, seq: 2, at: 9 },
    { ...line, phase: 'start' as const, seq: 3, at: 11, jobId: '2' },
  ];
  expect(toRuns(lines)).toEqual([
    { ...line, startedAt: 5, endedAt: 9 },
    { ...line, jobId: '2', startedAt: 11 },
  ]);
});

test('a percentile is a value that was measured', () => {
  expect(percentile([3, 1, 2], 0.5)).toBe(2);
  expect(percentile([3, 1, 2], 0.99)).toBe(3);
  expect(percentile([], 0.99)).toBeUndefined();
});
