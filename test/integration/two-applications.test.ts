import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import type { App, Job, JobDefinition, RunningWorker } from '../../src/index.ts';
import { defineApp, defineJob, Warren } from '../../src/index.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { noteUnservedTypes } from '../../src/shared/postgres/statements/unserved-types.ts';
import { publishRaw } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { startFile } from '../support/program.ts';
import type { TestDatabase, TestVhost } from '../support/servers.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const args = z.object({});
type Type = JobDefinition<Record<string, never>>;

/** An application with one job type on the queue `default`, which several have. `runs`: in which application each of its jobs ran. */
function application(name: string, type: string, runs: Map<string, string[]>): { app: App; job: Type } {
  const job = defineJob({
    type,
    queue: 'default',
    args,
    perform: async (_args, { jobId }) => {
      runs.set(jobId, [...(runs.get(jobId) ?? []), name]);
    },
  }) as unknown as Type;
  return { app: defineApp({ name, queues: { default: { channels: 2, prefetch: 10 } }, jobs: [job] }), job };
}

interface Stage {
  database: TestDatabase;
  vhost: TestVhost;
}

async function stage(): Promise<Stage> {
  const [database, vhost] = await Promise.all([createDatabase(), createVhost()]);
  onTestFinished(async () => {
    await database[Symbol.asyncDispose]();
    await vhost[Symbol.asyncDispose]();
  });
  return { database, vhost };
}

async function open(
  { database, vhost }: Stage,
  app: App,
  settings: Readonly<Record<string, string>> = {},
): Promise<Warren> {
  const warren = new Warren({ app, databaseUrl: database.url, amqpUrl: vhost.url, settings });
  onTestFinished(() => warren.stop());
  using connected = listen(warren.events, 'broker.connected');
  await warren.start();
  await connected.first(); // before that the jobs would be left to the relay, which publishes none that nobody serves
  return warren;
}

/** Waits until each has ended. */
async function untilEnded(warren: Warren, ids: readonly string[]): Promise<Job[]> {
  return await Promise.all(
    ids.map(
      async (id) =>
        (await eventually(
          () => warren.jobs.find(id),
          (job) => ['completed', 'discarded', 'cancelled'].includes(job?.state ?? ''),
        )) as Job,
    ),
  );
}

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

test.each(['quorum', 'classic'])(
  'two applications share a %s queue: every job runs in its own, at its first attempt, and none is discarded',
  async (queueType) => {
    const runs = new Map<string, string[]>();
    const shared = await stage();
    const crm = application('crm', 'greet', runs);
    const billing = application('billing', 'invoice', runs);
    const settings = { RABBITMQ_QUEUE_TYPE: queueType };
    const [a, b] = await Promise.all([open(shared, crm.app, settings), open(shared, billing.app, settings)]);
    await Promise.all([a, a, b, b].map((warren) => warren.startWorker()));
    using ofCrm = listen(a.events, 'delivery.received');
    using ofBilling = listen(b.events, 'delivery.received');

    const ids = await Promise.all(
      times(200, async () => ({
        crm: (await a.enqueue(crm.job, {})).job.id,
        billing: (await b.enqueue(billing.job, {})).job.id,
      })),
    );
    for (const [name, warren] of [
      ['crm', a],
      ['billing', b],
    ] as const) {
      const jobs = await untilEnded(
        warren,
        ids.map((pair) => pair[name]),
      );
      for (const job of jobs) {
        expect(job).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
        expect(runs.get(job.id)).toEqual([name]);
      }
    }
    expect(ofCrm.all.length + ofBilling.all.length).toBeLessThan(400 * 20); // about three each; a message that goes in circles comes thousands of times
  },
);

test('a message that holds jobs of both goes on to the other application, and each job runs once, in its own', async () => {
  const runs = new Map<string, string[]>();
  const shared = await stage();
  const crm = application('crm', 'greet', runs);
  const billing = application('billing', 'invoice', runs);
  const [a, b] = await Promise.all([open(shared, crm.app), open(shared, billing.app)]);
  await Promise.all([a, b].map((warren) => warren.startWorker()));
  const later = { delayMs: 600_000 };
  const ids = [
    (await a.enqueue(crm.job, {}, later)).job.id,
    (await b.enqueue(billing.job, {}, later)).job.id,
    (await a.enqueue(crm.job, {}, later)).job.id,
  ];
  const database = new Database({
    url: shared.database.url,
    name: 'test',
    min: 1,
    max: 1,
    events: new Events(),
  });
  database.start();
  // The mark keeps the relay from publishing them: the test's message is all that they have.
  await database.query(
    async (sql) =>
      await sql`update warren.jobs set state = 'available', run_at = now(), published_at = now()`,
  );
  await database.stop();
  await publishRaw(shared.vhost, 'default', ids.join(' '));
  for (const job of await untilEnded(a, ids)) expect(job).toMatchObject({ state: 'completed', attempt: 1 });
  expect(ids.map((id) => runs.get(id))).toEqual([['crm'], ['billing'], ['crm']]);
});

test('while no worker of an application lives its jobs wait, at one delivery each, and they run when one comes', async () => {
  const runs = new Map<string, string[]>();
  const shared = await stage();
  const crm = application('crm', 'greet', runs);
  const billing = application('billing', 'invoice', runs);
  const [a, b] = await Promise.all([open(shared, crm.app), open(shared, billing.app)]);
  const workers: RunningWorker[] = await Promise.all(times(2, () => a.startWorker()));
  using refused = listen(a.events, 'delivery.suppressed');
  const waiting = await b.enqueueMany(times(200, () => ({ job: billing.job, args: {} })));
  await refused.count(waiting.length, ({ reason }) => reason === 'foreign');
  const done = await untilEnded(a, await a.enqueueMany(times(50, () => ({ job: crm.job, args: {} }))));
  expect(done.map(({ state }) => state)).toEqual(times(50, () => 'completed'));
  const deliveries = Map.groupBy(refused.all, ({ jobId }) => jobId);
  expect(waiting.map((id) => deliveries.get(id)?.length)).toEqual(waiting.map(() => 1));
  for (const id of waiting) expect(await b.jobs.find(id)).toMatchObject({ state: 'available', attempt: 0 });

  await b.startWorker();
  for (const job of await untilEnded(b, waiting)) {
    expect(job).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
    expect(runs.get(job.id)).toEqual(['billing']);
  }
  expect(workers).toHaveLength(2);
});

test('the jobs of a worker that is killed are taken over by a worker of its own application, with others on the queue', async () => {
  const runs = new Map<string, string[]>();
  const shared = await stage();
  const crm = application('crm', 'greet', runs);
  const own = application('endless', 'test-job', runs);
  const [a, b] = await Promise.all([open(shared, crm.app), open(shared, own.app)]);
  await Promise.all(times(2, () => a.startWorker()));
  await using killed = await startFile('test/support/crash-worker.ts', {
    DATABASE_URL: shared.database.url,
    AMQP_URL: shared.vhost.url,
    WORKER_QUEUES: 'default:1:10',
  });
  await killed.waitForLog('ready');
  const ids = await b.enqueueMany(times(5, () => ({ job: own.job, args: {} })));
  for (const id of ids) await killed.waitForLog((line) => line['msg'] === 'started' && line['jobId'] === id);
  await b.startWorker();
  using takeovers = listen(b.events, 'owner.taken-over');
  killed.signal('SIGKILL');
  for (const job of await untilEnded(b, ids)) {
    expect(job).toMatchObject({ state: 'completed' });
    expect(runs.get(job.id)).toEqual(['endless']);
  }
  expect(await takeovers.first()).toMatchObject({ name: `crash-worker@test:${killed.pid}` });
});

test('a type that no living worker has known for ten minutes is told of once, with what waits, until one comes', async () => {
  const runs = new Map<string, string[]>();
  const shared = await stage();
  const crm = application('crm', 'greet', runs);
  const billing = application('billing', 'invoice', runs);
  const [a, b] = await Promise.all([open(shared, crm.app), open(shared, billing.app)]);
  const ids = await b.enqueueMany(times(3, () => ({ job: billing.job, args: {} })));
  using told = listen(a.events, 'type.unserved');
  const first = await a.startWorker();
  const database = new Database({
    url: shared.database.url,
    name: 'administrator',
    min: 0,
    max: 2,
    events: new Events(),
  });
  onTestFinished(() => database.stop());
  database.start();
  const unserved = async () => await database.query(noteUnservedTypes);
  // Delivered and refused: while their messages are on the way a look finds nothing that waits for its worker.
  await eventually(
    () => database.query((sql) => sql`select id from warren.jobs where published_at is null and fence > 0`),
    ({ length }) => length === 3,
  );
  expect(await unserved()).toEqual([]);
  expect(await database.query((sql) => sql`select jobs from warren.unserved_types`)).toEqual([{ jobs: 3 }]);
  await first.stop(); // before the ten minutes: its own look might come after them, and tell of them first
  await database.query((sql) => sql`update warren.unserved_types set since = since - interval '10 minutes'`);
  expect(await unserved()).toEqual([{ queue: 'default', type: 'invoice', jobs: 3, since: expect.any(Date) }]);

  const next = await a.startWorker(); // a leader looks at once
  expect(await told.first()).toEqual({ queue: 'default', type: 'invoice', jobs: 3, unserved: true });
  await b.startWorker();
  await untilEnded(b, ids);
  expect(await unserved()).toEqual([]);
  // That a worker has come is told too, when the leader looks again.
  expect(told.all.filter(({ unserved }) => unserved)).toHaveLength(1);
  await next.stop();
});

test('a message in a classic queue, which does not count returns, goes in no circle while the workers of its application are busy', async () => {
  const runs = new Map<string, string[]>();
  const shared = await stage();
  const settings = { RABBITMQ_QUEUE_TYPE: 'classic' };
  const crm = application('crm', 'greet', runs);
  const finish = Promise.withResolvers<void>();
  const slow = defineJob({ type: 'invoice', queue: 'default', args, perform: () => finish.promise });
  const busy = defineApp({
    name: 'billing',
    queues: { default: { channels: 1, prefetch: 1 } },
    jobs: [slow],
  });
  const [a, b] = await Promise.all([open(shared, crm.app, settings), open(shared, busy, settings)]);
  await Promise.all([a.startWorker(), b.startWorker()]);
  using started = listen(b.events, 'attempt.started');
  const running = (await b.enqueue(slow, {})).job.id;
  await started.first();

  using foreign = listen(a.events, 'delivery.suppressed');
  const waiting = (await b.enqueue(slow, {})).job.id;
  await foreign.count(1, ({ jobId }) => jobId === waiting);
  await untilEnded(a, await a.enqueueMany(times(2_000, () => ({ job: crm.job, args: {} }))));
  expect(foreign.all.filter(({ jobId }) => jobId === waiting).length).toBeLessThan(20); // one in circles comes hundreds of times

  finish.resolve();
  for (const job of await untilEnded(b, [running, waiting]))
    expect(job).toMatchObject({ state: 'completed' });
});
