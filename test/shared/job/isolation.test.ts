import { expect, test } from 'vitest';
import { findIsolationProblems } from '../../../src/shared/job/isolation.ts';
import type { JobDefinition } from '../../../src/shared/job/job.ts';

type Isolated = Pick<JobDefinition, 'isolation' | 'isolationLimits'>;

test.each<[Isolated, RegExp[]]>([
  [{}, []],
  [{ isolation: 'inline' }, []],
  [
    { isolation: 'process', isolationLimits: { concurrency: 100, memoryMb: 32, idleMs: 0, niceness: 19 } },
    [],
  ],
  [{ isolation: 'fiber' as 'thread' }, [/"fiber": there are inline, thread and process/]],
  [{ isolationLimits: { concurrency: 2 } }, [/runs inline/]],
  [{ isolation: 'thread', isolationLimits: { niceness: 20 } }, [/isolationLimits\.niceness/]],
  [
    { isolation: 'thread', isolationLimits: { concurrency: 0, memoryMb: 31, idleMs: 0.5 } },
    [/concurrency: a whole number from 1 to 100/, /memoryMb: .* from 32/, /idleMs/],
  ],
])('%j', (isolated, problems) => {
  expect(findIsolationProblems(isolated)).toEqual(problems.map((problem) => expect.stringMatching(problem)));
});
