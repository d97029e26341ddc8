// The job of the comparison as a Warren job type.
import { z } from 'zod';
import { defineJob } from '../../../src/jobs/define.ts';
import type { JobDefinition } from '../../../src/shared/job/job.ts';
import type { Work } from '../contender.ts';
import { QUEUE } from '../contender.ts';

/** No attempt of the comparison takes longer than this. */
const TIMEOUT_MS = 600_000;

export function defineVersusJob(perform: (work: Work) => Promise<void>): JobDefinition {
  return defineJob({
    type: QUEUE,
    args: z.object({ key: z.string(), ms: z.number(), spin: z.boolean().optional() }),
    timeoutMs: TIMEOUT_MS,
    perform: async ({ key, ms, spin = false }) => await perform({ key, ms, spin }),
  }) as JobDefinition;
}
