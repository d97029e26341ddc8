// An application for a test: the queues of the shop, and the job types that the test brings.
import { app as shop } from '../../src/jobs/registry.ts';
import type { App } from '../../src/shared/job/app.ts';
import { defineApp } from '../../src/shared/job/app.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';

export function testApp(definitions: Iterable<JobDefinition> = []): App {
  return defineApp({ name: 'test', queues: Object.fromEntries(shop.queues), jobs: [...definitions] });
}
