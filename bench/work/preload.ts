// Loaded before the real programs (`node --import …/preload.ts src/worker/main.ts`): adds the job types of the benchmark to their registry.
import { definitions } from '../../src/jobs/registry.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import { benchJobs } from './job-types.ts';

for (const definition of benchJobs)
  (definitions as Map<string, JobDefinition>).set(definition.type, definition);
