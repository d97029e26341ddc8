// The table of transitions against itself: what it must not say, whoever adds a line.
import { describe, expect, test } from 'vitest';
import type { Act } from '../../../src/shared/job/transitions.ts';
import {
  endStates,
  isEnd,
  jobStates,
  liveStates,
  recordedActs,
  transition,
  transitions,
} from '../../../src/shared/job/transitions.ts';

const acts = Object.keys(transitions) as Act[];
const moving = acts.filter((act) => transition(act).to !== undefined);

test('every state is live or an end, and each can be reached from a new job', () => {
  expect([...liveStates, ...endStates].toSorted()).toEqual(jobStates.toSorted());
  const reached = new Set(
    moving.filter((act) => transition(act).from.length === 0).map((act) => transition(act).to),
  );
  for (const _ of acts)
    for (const act of moving)
      if (transition(act).from.some((state) => reached.has(state))) reached.add(transition(act).to);
  expect([...reached].toSorted()).toEqual(jobStates.toSorted());
});

test('only a retry leads out of an end', () => {
  const leading = moving.filter((act) => transition(act).from.some(isEnd));
  expect(leading).toEqual(['retry']);
  expect(acts.filter((act) => transition(act).from.some(isEnd) && !moving.includes(act))).toEqual(['delete']);
});

describe('whatever makes a job run', () => {
  test.each(moving.filter((act) => transition(act).to === 'running'))(
    '%s charges an attempt and raises the fence',
    (act) => {
      expect(transition(act)).toMatchObject({ attempt: 1, raisesFence: true });
    },
  );
});

test('what a worker records begins at a running job, and is all that does, save for what follows a death', () => {
  const fromRunning = moving.filter((act) => transition(act).from.includes('running'));
  expect(fromRunning.filter((act) => !transition(act).afterCrash).toSorted()).toEqual(
    recordedActs.toSorted(),
  );
});

test('a job that is to be cancelled goes on nowhere', () => {
  const goingOn = moving.filter((act) => {
    const { from, to } = transition(act);
    return from.includes('running') && to !== undefined && !isEnd(to);
  });
  for (const act of goingOn) expect(transition(act), act).toMatchObject({ yieldsToCancel: true });
});
