// The application of the tests of isolation, for the worker and its threads and processes alike: job types that block, leak, crash, and tell where they ran.
import { getPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { threadId } from 'node:worker_threads';
import { z } from 'zod';
import type { JobOptions } from '../../src/jobs/define.ts';
import { defineJob, snooze } from '../../src/jobs/define.ts';
import type { App } from '../../src/shared/job/app.ts';
import type { JobContext, JobDefinition } from '../../src/shared/job/job.ts';
import type { TestServices } from './test-app.ts';
import { testApp } from './test-app.ts';

const args = z.record(z.string(), z.unknown());
type Schema = typeof args;
type Perform = (args: z.output<Schema>, context: JobContext<TestServices>) => Promise<unknown>;

const here = () => ({ pid: process.pid, threadId });

/** What a handler does, by the argument `does`. */
const deeds: Record<string, Perform> = {
  tell: async (_args, { log, progress, attempt }) => {
    log.info('here', here());
    progress(0.5, 'half way');
    return { ...here(), attempt };
  },
  tellPriority: async () => getPriority(),
  services: async (_args, { services, fence }) => {
    const [row] = await services.sql`select current_setting('application_name') as name`;
    return { name: row?.['name'], fence };
  },
  transaction: async (_args, { transaction }) =>
    await transaction(async (sql) => {
      await sql`insert into public.effects values (1)`;
      return 'committed';
    }),
  fail: async () => {
    throw new Error('broken', { cause: new TypeError('before') });
  },
  snooze: async (_args, { fence }) => (fence === 1 ? snooze(10) : 'awake'),
  loop: async () => {
    for (;;);
  },
  exit: async () => process.exit(66),
  throwLater: async ({ token = '' }) => {
    setTimeout(() => {
      throw new Error(`thrown where nobody catches it ${token}`);
    });
    await delay(60_000);
  },
  leak: async () => {
    const held: string[][] = [];
    for (;;) {
      held.push(Array.from({ length: 100_000 }, (_, index) => `leaked ${index}`));
      await delay(1);
    }
  },
  leakBuffers: async () => {
    const held: Buffer[] = [];
    for (;;) {
      held.push(Buffer.alloc(10_000_000, 1));
      await delay(1);
    }
  },
  wait: async (_args, { signal, log }) => {
    log.info('waits', here());
    await delay(60_000, undefined, { signal });
  },
  /** Until somebody lets it go. */
  hold: async (_args, { services: { sql }, signal }) => {
    for (;;) {
      const [row] = await sql`select count(*)::int as count from public.released`;
      if (row?.['count'] > 0) return 'let go';
      await delay(20, undefined, { signal });
    }
  },
  ignoreSignal: async (_args, { log }) => {
    log.info('waits', here());
    await delay(60_000);
  },
};

function isolated(
  type: string,
  options: Pick<JobOptions<Schema>, 'isolation' | 'isolationLimits' | 'timeoutMs' | 'redact' | 'encrypted'>,
): JobDefinition<z.output<Schema>> {
  return defineJob({
    type,
    args,
    maxAttempts: 2,
    backoffMs: () => 20,
    timeoutMs: 60_000,
    ...options,
    perform: async (given, context: JobContext<TestServices>) =>
      await deeds[String(given['does'])]?.(given, context),
  }) as JobDefinition<z.output<Schema>>;
}

export const isolatedJobs = [
  isolated('neighbour', {}),
  isolated('in-thread', { isolation: 'thread', isolationLimits: { concurrency: 1 } }),
  isolated('in-process', { isolation: 'process', isolationLimits: { concurrency: 1 } }),
  isolated('hiding-thread', { isolation: 'thread', redact: ['token'] }),
  isolated('short-thread', { isolation: 'thread', isolationLimits: { memoryMb: 64 }, timeoutMs: 500 }),
  isolated('short-process', {
    isolation: 'process',
    isolationLimits: { memoryMb: 256, niceness: 5 },
    timeoutMs: 500,
  }),
  isolated('small-thread', { isolation: 'thread', isolationLimits: { memoryMb: 64 } }),
  isolated('small-process', { isolation: 'process', isolationLimits: { memoryMb: 150 } }),
];

export const { url: module } = import.meta;
export const app: App = testApp(isolatedJobs as JobDefinition[], { module });
