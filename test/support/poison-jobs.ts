// The job types of the poison test, for the worker program and its quarantine alike: one that takes its process down, and a good one.
import { z } from 'zod';
import { defineJob } from '../../src/jobs/define.ts';

const args = z.record(z.string(), z.unknown());

const poison = defineJob({
  type: 'poison',
  args,
  perform: async () => process.exit(66),
});

/** Ends when its neighbours have had the time to end the process. */
const neighbour = defineJob({
  type: 'neighbour',
  args,
  perform: async (_args, { signal }) => {
    await new Promise((resolve) => setTimeout(resolve, 300, signal));
    return 'fine';
  },
});

const failing = defineJob({
  type: 'failing',
  args,
  perform: async () => {
    throw new Error('broken', { cause: new TypeError('before') });
  },
});

export const poisonJobs = new Map(
  [poison, neighbour, failing].map((definition) => [definition.type, definition]),
);
