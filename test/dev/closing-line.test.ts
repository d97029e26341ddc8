// The last line of `npm test`: everything that makes a run fail is counted as failed.
import { expect, test } from 'vitest';

import type { CountedModule, TriedModule } from '../support/closing-line-reporter.ts';
import { closingLine, flakeLines } from '../support/closing-line-reporter.ts';

type State = 'passed' | 'failed' | 'skipped' | 'pending';

const file = (states: State[], errors: unknown[] = []): CountedModule => ({
  errors: () => errors,
  children: { allTests: () => states.map((state) => ({ result: () => ({ state }) })) },
});

test('tests are counted over all files', () => {
  const files = [file(['passed', 'failed', 'skipped']), file(['passed'])];
  expect(closingLine(files, 0)).toBe('2 passed, 1 failed, 1 skipped');
});

test('a file that could not be loaded and an error outside of tests are failures', () => {
  expect(closingLine([file(['passed']), file([], [new Error('no such import')])], 1)).toBe(
    '1 passed, 2 failed, 0 skipped',
  );
});

test('a test that the run did not come to is skipped', () => {
  expect(closingLine([file(['pending'])], 0)).toBe('0 passed, 0 failed, 1 skipped');
});

test('a test that has passed only at its second try is named, with what it said at the first', () => {
  const tried = (fullName: string, flaky: boolean) => ({
    fullName,
    diagnostic: () => ({ flaky }),
    result: () => ({ errors: [{ message: 'expected 1 to be 3\n\n- 3\n+ 1' }] }),
  });
  const module: TriedModule = {
    relativeModuleId: 'test/integration/a.test.ts',
    children: { allTests: () => [tried('races', true), tried('is steady', false)] },
  };
  expect(flakeLines([module])).toEqual([
    'passed only at its second try: test/integration/a.test.ts > races: expected 1 to be 3',
  ]);
});
