// The application of the benchmark, for the real programs (WARREN_APP): the shop with job types that cost as little as can be.
import { app as shop } from '../../examples/shop/app.ts';
import type { App } from '../../src/shared/job/app.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import { benchJobs } from './job-types.ts';

const added = benchJobs.map((definition): [string, JobDefinition] => [definition.type, definition]);
export const app: App = {
  ...shop,
  definitions: new Map([...shop.definitions, ...added]),
  module: import.meta.url,
};
