// Loaded before a program (`node --import …/fault-jobs.ts src/worker/main.ts`): adds the job types of the fault runs to its registry.
// So the API and the workers of a run are the real programs, and nothing in src/ knows of faults. FAULT_SOURCE names the source tree
// (a negative control runs another one), FAULT_BOOK the folder of the effect book.
import type { defineJob as DefineJob } from '../../../src/jobs/define.ts';
import type { JobDefinition } from '../../../src/shared/job/job.ts';
import { faultJobs } from './job-types.ts';

const source = process.env['FAULT_SOURCE'] ?? new URL('../../../src', import.meta.url).pathname;
const { definitions } = (await import(`${source}/jobs/registry.ts`)) as {
  definitions: Map<string, JobDefinition>;
};
const { defineJob } = (await import(`${source}/jobs/define.ts`)) as { defineJob: typeof DefineJob };

for (const definition of faultJobs(defineJob)) definitions.set(definition.type, definition);
