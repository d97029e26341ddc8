// Loaded before Warren's programs (`node --import …`): adds the job type of the comparison to the registry, so that they run as they are.
import { definitions } from '../../../src/jobs/registry.ts';
import type { JobDefinition } from '../../../src/shared/job/job.ts';
import { QUEUE } from '../contender.ts';
import { createPerform } from './perform.ts';
import { defineVersusJob } from './versus-job.ts';

(definitions as Map<string, JobDefinition>).set(QUEUE, defineVersusJob(createPerform(process.env)));
