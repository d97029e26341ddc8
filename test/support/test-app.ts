// An application for a test: the queues of the shop, and the job types that the test brings.

import type { App, AppResources } from '../../src/shared/job/app.ts';
import { defineApp } from '../../src/shared/job/app.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import type { Limit } from '../../src/shared/job/limit.ts';
import type { QueueGates } from '../../src/shared/job/queue-gates.ts';
import type { HandlerClient } from '../../src/shared/postgres/handler-client.ts';
import { app as shop } from './shop.ts';

/** What the handlers of a test have of their application. */
export interface TestServices {
  sql: HandlerClient;
}

/** `gates`: of its queue `default`, and its limits. */
export interface TestGates extends QueueGates {
  limits?: Record<string, Limit>;
  /** Where the application is, for job types that are isolated. */
  module?: string;
}

export function testApp(
  definitions: Iterable<JobDefinition> = [],
  { limits, module, ...gates }: TestGates = {},
): App {
  const services = ({ sql }: AppResources): TestServices => ({ sql });
  return defineApp({
    name: 'test',
    queues: { ...Object.fromEntries(shop.queues), default: { ...shop.queues.get('default'), ...gates } },
    limits,
    module,
    jobs: [...definitions],
    services,
  });
}
