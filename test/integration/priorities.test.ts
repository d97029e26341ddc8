import { expect, test } from 'vitest';
import type { EnqueueOptions } from '../../src/shared/job/job.ts';
import { takeMessages } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { startFile } from '../support/program.ts';
import { asRole, asUser } from '../support/servers.ts';

/** Messages of this queue have one job each: none waits in the worker, to be passed on where the test is slow. */
const ONE_SLOT = { WORKER_QUEUES: 'reports:1:1' };
const queue = 'reports';

/** A job type that notes what it runs. */
function noting(type = 'test-job') {
  const runs: string[] = [];
  return { runs, job: testJob(async (_args, { jobId }) => void runs.push(jobId), { type }) };
}

/** Jobs that are committed, published and marked, in the order of their ids. */
async function enqueue(
  fleet: Fleet,
  count: number,
  {
    priority = 0,
    args = {},
    ...options
  }: EnqueueOptions & { priority?: number; args?: object; type?: string } = {},
): Promise<string[]> {
  const definition = testJob(async () => {}, { type: options.type ?? 'test-job' });
  const ids = await fleet.enqueuer.enqueueBatch(
    Array.from({ length: count }, () => ({ definition, args: { ...args }, ...options })),
  );
  await eventually(
    () => fleet.sql((sql) => sql`select from warren.jobs where published_at is null`),
    (rows) => rows.length === 0,
  );
  if (priority > 0) await prioritize(fleet, ids, priority);
  return ids;
}

const prioritize = (fleet: Fleet, ids: readonly string[], priority: number) =>
  fleet.sql(
    (sql) => sql`update warren.jobs set priority = ${priority} where id = any(${[...ids]}::bigint[])`,
  );

const jobsIn = (deliveries: readonly { jobs: number }[]) =>
  deliveries.reduce((sum, { jobs }) => sum + jobs, 0);
const jobsPassedOn = (events: readonly { count: number }[]) =>
  events.reduce((sum, { count }) => sum + count, 0);

async function allCompleted(fleet: Fleet): Promise<void> {
  await eventually(
    () => fleet.sql((sql) => sql`select state from warren.jobs group by state`),
    (rows) => rows.every(({ state }) => state === 'completed'),
  );
}

async function noMessageLeft(fleet: Fleet): Promise<void> {
  await eventually(
    async () =>
      (await fleet.vhost.management.queues()).find(({ name }) => name === 'warren.default')?.messages,
    (messages) => messages === 0,
  );
}

/** `received`: how many jobs the messages had that have come so far. */
async function untilReceivedOnce(fleet: Fleet, jobs: number, received: () => number): Promise<void> {
  await eventually(received, (count) => count >= jobs); // the panel may still show what was before the first message
  await noMessageLeft(fleet);
  expect(received()).toBe(jobs);
}

test('urgent jobs overtake a backlog of thousands, and no message is made for it', async () => {
  const { runs, job } = noting();
  await using fleet = await startFleet(job);
  const backlog = await enqueue(fleet, 3_000);
  const urgent = await enqueue(fleet, 20, { priority: 3 });
  const most = await enqueue(fleet, 20, { priority: 9 });
  using received = listen(fleet.events, 'delivery.received');
  using passedOn = listen(fleet.events, 'hints.passed-on'); // where the test is slow
  using repaired = listen(fleet.events, 'maintenance.done');
  await fleet.startWorker({ WORKER_QUEUES: 'default:2:10' });
  await allCompleted(fleet);
  expect(runs.slice(0, 20).toSorted()).toEqual(most.toSorted());
  expect(runs.slice(20, 40).toSorted()).toEqual(urgent.toSorted());
  expect(runs.toSorted()).toEqual([...backlog, ...urgent, ...most].toSorted());
  await untilReceivedOnce(fleet, 3_040, () => jobsIn(received.all) - jobsPassedOn(passedOn.all));
  expect(repaired.all).toEqual([]);
});

test('one slot takes the highest priority first, and jobs of one priority in the order of their ids', async () => {
  const { runs, job } = noting();
  await using fleet = await startFleet(job);
  const backlog = await enqueue(fleet, 100, { queue });
  const low = await enqueue(fleet, 5, { queue, priority: 1 });
  const high = await enqueue(fleet, 5, { queue, priority: 9 });
  const later = await enqueue(fleet, 5, { queue });
  await fleet.startWorker(ONE_SLOT);
  await allCompleted(fleet);
  expect(runs).toEqual([...high, ...low, ...backlog, ...later]);
});

test('a job whose priority is raised while it waits goes next, and one that is lowered takes its old place', async () => {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const runs: string[] = [];
  await using fleet = await startFleet(
    testJob(async (_args, { jobId }) => {
      runs.push(jobId);
      await opened;
    }),
  );
  using started = listen(fleet.events, 'attempt.started');
  await fleet.startWorker(ONE_SLOT);
  const [first = '', ...backlog] = await enqueue(fleet, 50, { queue });
  await started.first();
  const raised = backlog.splice(40, 2);
  await prioritize(fleet, raised, 2);
  await prioritize(fleet, raised.slice(1), 0);
  open();
  await allCompleted(fleet);
  expect(runs).toEqual([first, raised[0], ...backlog.slice(0, 40), raised[1], ...backlog.slice(40)]);
});

test('two workers share what is urgent and what it has overtaken, and start each job once', async () => {
  const { runs, job } = noting();
  await using fleet = await startFleet(job);
  const backlog = await enqueue(fleet, 1_500);
  const urgent = await enqueue(fleet, 300, { priority: 5 });
  using received = listen(fleet.events, 'delivery.received');
  using passedOn = listen(fleet.events, 'hints.passed-on'); // where the test is slow
  using repaired = listen(fleet.events, 'maintenance.done');
  await Promise.all([1, 2].map(() => fleet.startWorker({ WORKER_QUEUES: 'default:2:10' })));
  await allCompleted(fleet);
  expect(runs.toSorted()).toEqual([...backlog, ...urgent].toSorted());
  await untilReceivedOnce(fleet, 1_800, () => jobsIn(received.all) - jobsPassedOn(passedOn.all));
  expect(repaired.all).toEqual([]);
});

test('an urgent job that nobody here knows overtakes nothing, and a job that was overtaken is left to those who know it', async () => {
  const mine = noting();
  const theirs = noting('their-job');
  await using fleet = await startFleet(mine.job);
  const unknown = await enqueue(fleet, 1, { queue, type: 'their-job', priority: 9 });
  const backlog = await enqueue(fleet, 50, { queue });
  await fleet.startWorker(ONE_SLOT);
  for (const id of backlog) expect(await fleet.until(id)).toMatchObject({ state: 'completed' });
  expect(mine.runs).toEqual(backlog);
  expect(theirs.runs).toEqual([]);
  expect(await fleet.job(unknown[0] ?? '')).toMatchObject({ state: 'available', attempt: 0 });
});

test('a job that is enqueued as urgent goes next, however it is enqueued', async () => {
  const opened = Promise.withResolvers<void>();
  const runs: string[] = [];
  await using fleet = await startFleet(
    testJob(async (_args, { jobId }) => {
      runs.push(jobId);
      await opened.promise;
    }),
  );
  using started = listen(fleet.events, 'attempt.started');
  await fleet.startWorker(ONE_SLOT);
  const [first = '', ...backlog] = await enqueue(fleet, 100, { queue });
  await started.first();
  const urgent = await fleet.enqueue({}, { queue, priority: 4 });
  const [inSql] = await fleet.sql(
    (sql) => sql`select warren.enqueue('test-job', '{}', queue => 'reports', priority => 5)::text as id`,
  );
  await eventually(
    () => fleet.sql((sql) => sql`select from warren.jobs where published_at is null`),
    (rows) => rows.length === 0,
  );
  opened.resolve();
  await allCompleted(fleet);
  expect(runs).toEqual([first, inSql?.['id'], urgent, ...backlog]);
});

test('a worker that is killed amid urgent and overtaken jobs loses none of them', async () => {
  const { runs, job } = noting();
  await using fleet = await startFleet(job);
  const backlog = await enqueue(fleet, 2_000, { args: { ends: true } });
  const urgent = await enqueue(fleet, 200, { priority: 5, args: { ends: true } });
  {
    await using killed = await startFile('test/support/crash-worker.ts', {
      DATABASE_URL: asRole(fleet.testDatabase.url, 'worker'),
      AMQP_URL: asUser(fleet.vhost.url, 'worker'),
      WORKER_QUEUES: 'default:2:10',
    });
    await killed.waitForLog(({ jobId }) => jobId === backlog[300]);
    killed.signal('SIGKILL');
  }
  const done = await fleet.sql((sql) => sql`select id from warren.jobs where state = 'completed'`);
  await fleet.startWorker({ WORKER_QUEUES: 'default:2:10' });
  await allCompleted(fleet);
  expect(runs.toSorted()).toEqual(
    [...new Set([...backlog, ...urgent]).difference(new Set(done.map(({ id }) => String(id))))].toSorted(),
  );
});

test('overtaken jobs whose permits are gone with the broker are published again, and start once', async () => {
  const { runs, job } = noting();
  await using fleet = await startFleet(job);
  const backlog = await enqueue(fleet, 40);
  const urgent = await enqueue(fleet, 10, { priority: 5 });
  await fleet.sql(
    (sql) =>
      sql`update warren.jobs set owed_fence = fence, published_at = now() where id = any(${backlog.slice(0, 5)}::bigint[])`,
  );
  await takeMessages(fleet.vhost, 'warren.default');
  await fleet.startWorker();
  await allCompleted(fleet);
  expect(runs.toSorted()).toEqual([...backlog, ...urgent].toSorted());
});

test('without a broker the most urgent job goes first, too', async () => {
  const { runs, job } = noting();
  await using fleet = await startFleet(job);
  const backlog = await enqueue(fleet, 30, { queue });
  const urgent = await enqueue(fleet, 3, { queue, priority: 5 });
  await fleet.startWorker({ ...ONE_SLOT, AMQP_URL: 'none' }).catch(() => {});
  await allCompleted(fleet);
  expect(runs).toEqual([...urgent, ...backlog]);
});
