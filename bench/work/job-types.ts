// The job types of the benchmark: nothing, a wait like an I/O call, and one that tells when it started.
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { defineJob } from '../../src/jobs/define.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import { monotonicMs } from '../stage/monotonic.ts';

export const benchJobs = [
  defineJob({ type: 'bench-trivial', args: z.object({}), perform: async () => {} }),
  defineJob({
    type: 'bench-wait',
    args: z.object({ ms: z.number() }),
    perform: async ({ ms }) => {
      await delay(ms);
    },
  }),
  // Its output is the time of its start, on the clock that all processes of the machine share.
  defineJob({ type: 'bench-stamp', args: z.object({}), perform: async () => ({ startedAt: monotonicMs() }) }),
] as unknown as readonly JobDefinition[];
