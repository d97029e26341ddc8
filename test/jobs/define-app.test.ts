// An application as it is put together by the package's `defineApp`.
import { expect, test } from 'vitest';
import { z } from 'zod';
import { actOnJobs, defineApp, defineJob } from '../../src/app.ts';

const greet = defineJob({ type: 'greet', queue: 'mail', args: z.object({}), perform: async () => undefined });
const queueOfActs = (app: ReturnType<typeof defineApp>) => app.definitions.get('act-on-jobs')?.queue;

test('an application can act on many jobs, in its default queue or in the one with most slots', () => {
  const jobs = [greet] as const;
  expect(queueOfActs(defineApp({ name: 'crm', queues: { mail: {} }, jobs }))).toBe('mail');
  const queues = {
    mail: { channels: 1, prefetch: 1 },
    many: { channels: 2, prefetch: 5 },
    few: { prefetch: 2 },
  };
  expect(queueOfActs(defineApp({ name: 'crm', queues, jobs }))).toBe('many');
  expect(queueOfActs(defineApp({ name: 'crm', queues: { mail: {}, default: {} }, jobs }))).toBe('default');
});

test('it may give the acts a queue of their own', () => {
  const jobs = [greet, { ...actOnJobs, queue: 'acts' }] as const;
  expect(queueOfActs(defineApp({ name: 'crm', queues: { mail: {}, acts: {} }, jobs }))).toBe('acts');
});

test('one that has no queue, and so no jobs, is left as it is', () => {
  expect(defineApp({ name: 'empty', queues: {}, jobs: [] }).definitions.size).toBe(0);
});
