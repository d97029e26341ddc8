// An application for a test: the queues of the shop, and the job types that the test brings.

import type { App, AppResources } from '../../src/shared/job/app.ts';
import { defineApp } from '../../src/shared/job/app.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import type { HandlerClient } from '../../src/shared/postgres/handler-client.ts';
import { app as shop } from './shop.ts';

/** What the handlers of a test have of their application. */
export interface TestServices {
  sql: HandlerClient;
}

export function testApp(definitions: Iterable<JobDefinition> = []): App {
  const services = ({ sql }: AppResources): TestServices => ({ sql });
  return defineApp({
    name: 'test',
    queues: Object.fromEntries(shop.queues),
    jobs: [...definitions],
    services,
  });
}
