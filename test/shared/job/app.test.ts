import { expect, test } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../../src/jobs/define.ts';
import { Misconfigured } from '../../../src/shared/base/errors.ts';
import { defineApp } from '../../../src/shared/job/app.ts';

const greet = defineJob({ type: 'greet', queue: 'mail', args: z.object({}), perform: async () => {} });

test('an application knows its queues, with their defaults, and its job types by name', () => {
  const app = defineApp({
    name: 'crm',
    queues: { mail: {}, 'bulk_mail-2': { channels: 3, prefetch: 7 } },
    jobs: [greet],
  });
  expect([...app.queues]).toEqual([
    ['mail', { channels: 1, prefetch: 10 }],
    ['bulk_mail-2', { channels: 3, prefetch: 7 }],
  ]);
  expect([...app.definitions.keys()]).toEqual(['greet']);
});

test('all that is wrong with an application is told at once', () => {
  const define = () =>
    defineApp({
      name: 'C R M',
      queues: { Mail: {}, slow: { channels: 0 }, wide: { prefetch: 2_001 } },
      jobs: [greet, greet],
    });
  expect(define).toThrow(Misconfigured);
  for (const problem of [
    '"C R M" is no application name',
    '"Mail" is no queue name',
    'queue "slow" must have 1 to 100 channels',
    'queue "wide" must have',
    'job type "greet" has queue "mail", which the application has not',
    'job type "greet" stands twice',
  ])
    expect(define).toThrow(problem);
});
