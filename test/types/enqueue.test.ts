// What the compiler promises to those who enqueue and to those who write job types. `tsc` checks this file; vitest only runs it.
import { describe, expectTypeOf, test } from 'vitest';
import { z } from 'zod';
import { defineJob } from '../../src/jobs/define.ts';
import { deliverWebhook } from '../../src/jobs/deliver-webhook.ts';
import type { Enqueuer } from '../../src/queue/enqueue.ts';
import type { enqueueInTransaction } from '../../src/queue/enqueue-in-transaction.ts';
import type { App } from '../../src/shared/job/app.ts';
import { defineApp } from '../../src/shared/job/app.ts';
import type { Enqueued, JobContext, JobDefinition } from '../../src/shared/job/job.ts';
import type { PerformMiddleware } from '../../src/shared/job/middleware.ts';
import type { Sql } from '../../src/shared/postgres/database.ts';

const greet = defineJob({
  type: 'greet',
  args: z.strictObject({ name: z.string(), times: z.int().default(1) }),
  perform: async (args, context) => {
    expectTypeOf(args).toEqualTypeOf<{ name: string; times: number }>();
    expectTypeOf(context).toEqualTypeOf<JobContext>();
  },
});
const count = defineJob({ type: 'count', args: z.strictObject({ to: z.int() }), perform: async () => {} });

// The second overload takes whatever the first refuses: its answer tells that the compiler would have complained.
type Refused = 'refused';
declare const single: Enqueuer['enqueue'] & ((request: unknown) => Refused);
declare const batch: Enqueuer['enqueueBatch'] & ((requests: unknown) => Refused);
declare const inTransaction: typeof enqueueInTransaction & ((sql: Sql, requests: unknown) => Refused);
declare const sql: Sql;

describe('the arguments of a job', () => {
  test('are those of its type, and what has a default may be left out', () => {
    expectTypeOf(() => single({ definition: greet, args: { name: 'Ada', times: 2 } })).returns.toEqualTypeOf<
      Promise<Enqueued>
    >();
    expectTypeOf(() => single({ definition: greet, args: { name: 'Ada' } })).returns.toEqualTypeOf<
      Promise<Enqueued>
    >();
    expectTypeOf(() =>
      single({ definition: deliverWebhook, args: { url: 'https://example.com' } }),
    ).returns.toEqualTypeOf<Promise<Enqueued>>();
  });

  test('are refused by the compiler where they are of another type, missing, or too many', () => {
    expectTypeOf(() => single({ definition: greet, args: { name: 1 } })).returns.toEqualTypeOf<Refused>();
    expectTypeOf(() => single({ definition: greet, args: {} })).returns.toEqualTypeOf<Refused>();
    expectTypeOf(() => single({ definition: greet, args: undefined })).returns.toEqualTypeOf<Refused>();
    expectTypeOf(() =>
      single({ definition: greet, args: { name: 'Ada', colour: 'red' } }),
    ).returns.toEqualTypeOf<Refused>();
  });

  test("are those of each job's own type in a batch and in a transaction", () => {
    expectTypeOf(() =>
      batch([
        { definition: greet, args: { name: 'Ada' } },
        { definition: count, args: { to: 3 } },
      ]),
    ).returns.toEqualTypeOf<Promise<string[]>>();
    expectTypeOf(() =>
      batch([
        { definition: greet, args: { name: 'Ada' } },
        { definition: count, args: { name: 'Ada' } },
      ]),
    ).returns.toEqualTypeOf<Refused>();
    expectTypeOf(() =>
      inTransaction(sql, [
        { definition: greet, args: { name: 'Ada' } },
        { definition: count, args: { to: 3 } },
      ]),
    ).returns.toEqualTypeOf<Promise<Enqueued[]>>();
    expectTypeOf(() =>
      inTransaction(sql, [
        { definition: greet, args: { to: 3 } },
        { definition: count, args: { to: 3 } },
      ]),
    ).returns.toEqualTypeOf<Refused>();
  });

  test('are whatever they are where the job type is known only at run time', () => {
    const definition = greet as JobDefinition;
    expectTypeOf(() => single({ definition, args: {} as unknown })).returns.toEqualTypeOf<
      Promise<Enqueued>
    >();
  });
});

interface Mailer {
  send(to: string): Promise<void>;
}

const welcome = defineJob({
  type: 'welcome',
  args: z.strictObject({ to: z.string() }),
  perform: async ({ to }, { services, log }: JobContext<{ mailer: Mailer }>) => {
    expectTypeOf(to).toBeString();
    log.info('sending');
    await services.mailer.send(to);
  },
});
const clean = defineJob({
  type: 'clean',
  args: z.strictObject({}),
  perform: async (_args, { services }: JobContext<{ disk: string }>) => services.disk,
});

describe('the services of an application', () => {
  const mailer: Mailer = { send: async () => {} };
  const queues = { default: {} };

  test('are those that its job types name, and may be more', () => {
    expectTypeOf(() =>
      defineApp({ name: 'a', queues, jobs: [greet, welcome], services: { mailer, more: 1 } }),
    ).returns.toEqualTypeOf<App>();
    expectTypeOf(() =>
      defineApp({ name: 'a', queues, jobs: [welcome, clean], services: async () => ({ mailer, disk: '/' }) }),
    ).returns.toEqualTypeOf<App>();
    expectTypeOf(() => defineApp({ name: 'a', queues, jobs: [greet] })).returns.toEqualTypeOf<App>();
  });

  test('are refused by the compiler where one is missing or of another type', () => {
    // @ts-expect-error: no services at all
    expectTypeOf(() => defineApp({ name: 'a', queues, jobs: [greet, welcome] })).toBeFunction();
    const without = { mailer };
    expectTypeOf(() =>
      // @ts-expect-error: nothing for the second job type
      defineApp({ name: 'a', queues, jobs: [welcome, clean], services: without }),
    ).toBeFunction();
    const wrong = async () => ({ disk: 1 });
    // @ts-expect-error: a number where its job type wants text
    expectTypeOf(() => defineApp({ name: 'a', queues, jobs: [clean], services: wrong })).toBeFunction();
  });

  test('may be added by middleware', () => {
    const addDisk: PerformMiddleware<{ disk: string }> = async (_call, next) => await next({ disk: '/' });
    const middleware = { perform: [addDisk] } as const;
    expectTypeOf(() => defineApp({ name: 'a', queues, jobs: [clean], middleware })).toBeFunction();
    expectTypeOf(() =>
      defineApp({ name: 'a', queues, jobs: [welcome, clean], services: { mailer }, middleware }),
    ).toBeFunction();
    // @ts-expect-error: nobody adds the mailer
    expectTypeOf(() => defineApp({ name: 'a', queues, jobs: [welcome, clean], middleware })).toBeFunction();
  });
});
