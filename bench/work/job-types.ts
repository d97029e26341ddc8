// The job types of the benchmark: nothing, a wait like an I/O call, and one that tells when it started, and two that hurt whoever runs in the same
// thread or process.
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { defineJob } from '../../src/jobs/define.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import { monotonicMs } from '../stage/monotonic.ts';

/** What those may take that never end, in milliseconds. */
export const HOSTILE_MS = 12_000;
const hostile = {
  queue: 'reports',
  args: z.object({ isHarmless: z.boolean() }),
  maxAttempts: 1,
  timeoutMs: HOSTILE_MS,
};

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
  defineJob({
    ...hostile,
    type: 'bench-loop',
    isolation: 'thread',
    perform: async ({ isHarmless }, { progress }) => {
      if (isHarmless) return;
      progress(0);
      await delay(100); // it is on its way
      for (;;);
    },
  }),
  defineJob({
    ...hostile,
    type: 'bench-leak',
    isolation: 'process',
    isolationLimits: { memoryMb: 1_024, niceness: 19 },
    perform: async ({ isHarmless }, { progress }) => {
      if (isHarmless) return;
      progress(0);
      const leaked: Buffer[] = [];
      for (;;) {
        leaked.push(Buffer.alloc(1_000_000, leaked.length));
        await delay(20);
      }
    },
  }),
] as unknown as readonly JobDefinition[];
