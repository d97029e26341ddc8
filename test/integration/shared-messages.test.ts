import { expect, test } from 'vitest';
import { app as shop } from '../../examples/shop/app.ts';
import { processOrder } from '../../examples/shop/process-order.ts';
import { cancelJob } from '../../src/shared/postgres/statements/control.ts';
import { pauseQueue, resumeQueue } from '../../src/shared/postgres/statements/queues.ts';
import { Warren } from '../../src/warren.ts';
import {
  closeConnections,
  publishRaw,
  readyCount,
  takeDeadLetters,
  takeMessages,
  waitingIds,
} from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { startFile } from '../support/program.ts';
import { asRole, asUser, createDatabase, createVhost } from '../support/servers.ts';
import { untilMarkedStarted } from '../support/start-mark.ts';

const quick = testJob(async () => {});

/** Jobs that are committed and published together. */
async function enqueueTogether(fleet: Fleet, count: number, args: Record<string, unknown> = {}) {
  return await fleet.enqueuer.enqueueBatch(
    Array.from({ length: count }, () => ({ definition: quick, args })),
  );
}

/** Handlers that wait for the test; `running`: the jobs whose handler waits. */
function gate() {
  const open = Promise.withResolvers<void>();
  const running = new Set<string>();
  const runs: string[] = [];
  const job = testJob(async (_args, { jobId, signal }) => {
    runs.push(jobId);
    running.add(jobId);
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    await Promise.race([open.promise, aborted]);
    running.delete(jobId);
    signal.throwIfAborted();
  });
  return { job, runs, running, open: () => open.resolve() };
}

async function expectAllRanOnce(fleet: Fleet, ids: readonly string[], runs: readonly string[]) {
  for (const id of ids)
    expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
  expect(runs.toSorted()).toEqual(ids.toSorted());
}

test('jobs that are committed together share messages of sixteen, and a single one has its own', async () => {
  await using fleet = await startFleet(quick);
  const alone = await fleet.enqueue();
  const ids = await enqueueTogether(fleet, 40);
  const long = await fleet.enqueuer.enqueueBatch(
    [1, 2].map(() => ({ definition: quick, args: {}, queue: 'reports' })), // with a prefetch of 1
  );
  await fleet.publisher.stop(); // all is confirmed
  // In whatever order: each is published on one of four channels.
  const bodies = async (queue: string) =>
    (await takeMessages(fleet.vhost, queue)).map(({ content }) => content.toString()).sort();
  expect(await bodies('warren.default')).toEqual(
    [alone, ids.slice(0, 16).join(' '), ids.slice(16, 32).join(' '), ids.slice(32).join(' ')].sort(),
  );
  expect(await bodies('warren.reports')).toEqual(long.toSorted());
});

test('each job of a message runs once, and none is left in the broker', async () => {
  const runs: string[] = [];
  await using fleet = await startFleet(testJob(async (_args, { jobId }) => void runs.push(jobId)));
  const ids = await enqueueTogether(fleet, 100);
  await fleet.startWorker({ WORKER_QUEUES: 'default:2:10' });
  await expectAllRanOnce(fleet, ids, runs);
  await eventually(
    async () =>
      (await fleet.vhost.management.queues()).find(({ name }) => name === 'warren.default')?.messages,
    (messages) => messages === 0,
  );
});

test('two channels of ten run twenty jobs of two messages at once, and no more', async () => {
  const { job, running, runs, open } = gate();
  await using fleet = await startFleet(job);
  const ids = await enqueueTogether(fleet, 32);
  using started = listen(fleet.events, 'attempt.started');
  await fleet.startWorker({ WORKER_QUEUES: 'default:2:10,critical:1:1' });
  await started.count(20);
  await fleet.until(await fleet.enqueue({}, { queue: 'critical', delayMs: 500 }), 'running'); // time for starts that must not come
  expect(running.size).toBe(21);
  open();
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(runs).toHaveLength(33);
});

test('jobs that wait behind long ones of the same message go to a worker that is free', async () => {
  const { job, running, runs, open } = gate();
  await using fleet = await startFleet(job);
  using passedOn = listen(fleet.events, 'hints.passed-on');
  using started = listen(fleet.events, 'attempt.started');
  await fleet.startWorker({ WORKER_QUEUES: 'default:1:2' });
  const ids = await enqueueTogether(fleet, 16);
  await started.count(2);
  await fleet.startWorker({ WORKER_QUEUES: 'default:1:20' });
  await started.count(16);
  expect(running.size).toBe(16);
  expect(passedOn.all.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(14);
  open();
  await expectAllRanOnce(fleet, ids, runs);
});

test('what is passed on does not come back while the slots are full', async () => {
  const { job, runs, open } = gate();
  await using fleet = await startFleet(job);
  using passedOn = listen(fleet.events, 'hints.passed-on');
  using received = listen(fleet.events, 'delivery.received');
  await fleet.startWorker({ WORKER_QUEUES: 'default:2:4' });
  const ids = await enqueueTogether(fleet, 64);
  const total = () => passedOn.all.reduce((sum, { count }) => sum + count, 0);
  // Four messages, eight slots: 56 ids wait and are passed on. Four of them find room in the prefetch, and are passed on in their turn.
  await eventually(total, (count) => count === 60);
  const later = await fleet.enqueue({}, { delayMs: 3_000 }); // time for deliveries that must not come
  await fleet.until(later, 'available');
  expect(total()).toBe(60);
  expect(received.all.reduce((sum, { jobs }) => sum + jobs, 0)).toBe(68);
  open();
  await expectAllRanOnce(fleet, [...ids, later], runs);
});

test('what is passed on counts as published anew, so that nobody takes its message for lost', async () => {
  const { job, runs, open } = gate();
  await using fleet = await startFleet(job);
  const ids = await enqueueTogether(fleet, 8);
  await fleet.publisher.stop();
  await fleet.enqueuer.stop(); // all are marked
  await fleet.database.query(
    async (sql) => await sql`update warren.jobs set published_at = now() - interval '1 hour'`,
  );
  using passedOn = listen(fleet.events, 'hints.passed-on');
  await fleet.startWorker({ WORKER_QUEUES: 'default:1:4' });
  await passedOn.first();
  const stale = await fleet.database.query(
    async (sql) =>
      await sql<{ id: string }[]>`
        select id from warren.jobs where state = 'available' and published_at < now() - interval '30 minutes'`,
  );
  expect(stale).toEqual([]);
  open();
  await expectAllRanOnce(fleet, ids, runs);
});

test('only the unfinished jobs of a killed worker run again, each taken over by itself', async () => {
  const runs: string[] = [];
  await using fleet = await startFleet(testJob(async (_args, { jobId }) => void runs.push(jobId)));
  await using killed = await startFile('test/support/crash-worker.ts', {
    DATABASE_URL: asRole(fleet.testDatabase.url, 'worker'),
    AMQP_URL: asUser(fleet.vhost.url, 'worker'),
    WORKER_QUEUES: 'default:1:10',
  });
  await killed.waitForLog('ready');
  const ids = await fleet.enqueuer.enqueueBatch(
    Array.from({ length: 10 }, (_, n) => ({ definition: quick, args: { ends: n % 2 === 0 } })),
  );
  const endless = ids.filter((_, n) => n % 2 === 1);
  for (const id of ids.filter((_, n) => n % 2 === 0)) await fleet.until(id);
  for (const id of endless) await untilMarkedStarted(fleet, id);
  using takeovers = listen(fleet.events, 'owner.taken-over');
  killed.signal('SIGKILL');
  await killed.exited;
  await fleet.startWorker();
  for (const id of endless) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 2 });
  expect(runs.toSorted()).toEqual(endless.toSorted());
  await eventually(
    () => takeovers.all.reduce((sum, { count }) => sum + count, 0),
    (count) => count === 5,
  );
});

test('a message of an earlier version, of one id, still works; an id that stands twice runs once', async () => {
  const runs: string[] = [];
  await using fleet = await startFleet(testJob(async (_args, { jobId }) => void runs.push(jobId)));
  await fleet.publisher.stop(); // what the test publishes is all there is
  const ids = await enqueueTogether(fleet, 3);
  await publishRaw(fleet.vhost, 'default', ids[0] ?? '');
  await publishRaw(fleet.vhost, 'default', `${ids[1]} ${ids[2]} ${ids[1]}`);
  using suppressed = listen(fleet.events, 'delivery.suppressed');
  await fleet.startWorker();
  await expectAllRanOnce(fleet, ids, runs);
  expect(suppressed.all).toEqual([]);
});

test('unknown ids and bodies that are no list go to the dead letters, and their neighbours run', async () => {
  const runs: string[] = [];
  await using fleet = await startFleet(testJob(async (_args, { jobId }) => void runs.push(jobId)));
  await fleet.startWorker();
  await fleet.publisher.stop();
  const ids = await enqueueTogether(fleet, 4);
  using dead = listen(fleet.events, 'delivery.dead-lettered');
  await publishRaw(fleet.vhost, 'default', `${ids[0]} 9007199254740993 ${ids[1]}`);
  await publishRaw(fleet.vhost, 'default', `${ids[2]} 007 ${ids[3]}`);
  await publishRaw(fleet.vhost, 'default', ids.slice(2).join(' '));
  await expectAllRanOnce(fleet, ids, runs);
  await dead.count(2);
  const letters = await eventually(
    () => readyCount(fleet.vhost, 'warren.dead'),
    (count) => count === 2,
  ).then(() => takeDeadLetters(fleet.vhost));
  expect(letters.map(({ body, queue }) => ({ body, queue }))).toEqual(
    expect.arrayContaining([
      { body: '9007199254740993', queue: 'default' },
      { body: `${ids[2]} 007 ${ids[3]}`, queue: 'default' },
    ]),
  );
});

test('a paused queue starts nothing of what waits for a slot; resumed it runs all, once', async () => {
  const { job, running, runs, open } = gate();
  await using fleet = await startFleet(job);
  using started = listen(fleet.events, 'attempt.started');
  await fleet.startWorker({ WORKER_QUEUES: 'default:1:2,critical:1:2' });
  const ids = await enqueueTogether(fleet, 16);
  await started.count(2);
  await fleet.database.query((sql) => pauseQueue(sql, 'default'));
  await eventually(
    async () =>
      (await fleet.vhost.management.consumers()).filter(({ queue }) => queue.name === 'warren.default'),
    (consumers) => consumers.length === 0,
  );
  open();
  await eventually(
    () => running.size,
    (size) => size === 0,
  );
  await fleet.until(await fleet.enqueue({}, { queue: 'critical' }));
  expect(runs).toHaveLength(3);
  await fleet.database.query((sql) => resumeQueue(sql, 'default'));
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(runs.filter((id) => ids.includes(id)).toSorted()).toEqual(ids.toSorted());
});

test('a worker that drains gives back at once the messages whose jobs all wait for a slot', async () => {
  const { job, runs, open } = gate();
  await using fleet = await startFleet(job);
  using started = listen(fleet.events, 'attempt.started');
  using passedOn = listen(fleet.events, 'hints.passed-on');
  const worker = await fleet.startWorker({ WORKER_QUEUES: 'default:1:2' });
  const running = await enqueueTogether(fleet, 2);
  await started.count(2);
  const waiting = await enqueueTogether(fleet, 4);
  await enqueueTogether(fleet, 1); // beyond the prefetch: while it is ready, the others are not passed on
  const before = passedOn.all.length;
  const stopped = fleet.stopWorker(worker);
  await eventually(
    async () => new Set(waiting).difference(new Set(await waitingIds(fleet.vhost, 'warren.default'))).size,
    (missing) => missing === 0,
  );
  expect(passedOn.all.length).toBe(before);
  open();
  await stopped;
  expect(runs.toSorted()).toEqual(running.toSorted());
});

test('a worker that drains publishes at once what waits beside running jobs of the same message', async () => {
  const { job, runs, open } = gate();
  await using fleet = await startFleet(job);
  using started = listen(fleet.events, 'attempt.started');
  const worker = await fleet.startWorker({ WORKER_QUEUES: 'default:1:2' });
  const ids = await enqueueTogether(fleet, 16);
  const beyond = await enqueueTogether(fleet, 24); // while the last of these is ready, nothing is passed on for a second
  await started.count(2);
  const stopped = fleet.stopWorker(worker);
  const waiting = [...ids, ...beyond].filter((id) => !runs.includes(id));
  await eventually(
    async () => new Set(waiting).difference(new Set(await waitingIds(fleet.vhost, 'warren.default'))).size,
    (missing) => missing === 0,
  );
  expect(runs).toHaveLength(2);
  open();
  await stopped;
  await fleet.startWorker();
  await expectAllRanOnce(fleet, [...ids, ...beyond], runs);
});

test('a worker that drains gives back what waits for a slot, uncharged, and ends what runs', async () => {
  const { job, runs, open } = gate();
  await using fleet = await startFleet(job);
  using started = listen(fleet.events, 'attempt.started');
  const worker = await fleet.startWorker({ WORKER_QUEUES: 'default:1:2' });
  const ids = await enqueueTogether(fleet, 16);
  await started.count(2);
  const stopped = fleet.stopWorker(worker);
  open();
  await stopped;
  expect(runs).toHaveLength(2);
  await fleet.startWorker();
  await expectAllRanOnce(fleet, ids, runs);
});

test('a job that is cancelled while it waits for a slot, and one that is cancelled while it runs, let their neighbours go on', async () => {
  const { job, runs, open } = gate();
  await using fleet = await startFleet(job);
  using started = listen(fleet.events, 'attempt.started');
  await fleet.startWorker({ WORKER_QUEUES: 'default:1:2' });
  const ids = await enqueueTogether(fleet, 8);
  await started.count(2);
  const [running = '', waiting = ''] = [runs[0], ids.find((id) => !runs.includes(id))];
  for (const id of [running, waiting]) await fleet.database.query((sql) => cancelJob(sql, id));
  expect(await fleet.until(running)).toMatchObject({ state: 'cancelled', attempt: 1 });
  expect(await fleet.until(waiting)).toMatchObject({ state: 'cancelled', attempt: 0 });
  open();
  for (const id of ids.filter((one) => one !== running && one !== waiting))
    expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(runs).not.toContain(waiting);
});

test('a slot is free when its handler has returned, before its outcome is recorded', async () => {
  const runs: string[] = [];
  await using fleet = await startFleet(testJob(async (_args, { jobId }) => void runs.push(jobId)));
  await fleet.sql((sql) =>
    sql.unsafe(`
      create function public.wait_for_test() returns trigger language plpgsql as
        'begin perform pg_catalog.pg_advisory_xact_lock(4711); return new; end';
      create trigger wait_for_test before update on warren.jobs for each row when (new.state = 'completed')
        execute function public.wait_for_test()`),
  );
  const ids = await enqueueTogether(fleet, 2);
  ids.push(await fleet.enqueue()); // while its message is ready, the second job is not passed on
  await eventually(
    () => readyCount(fleet.vhost, 'warren.default'),
    (count) => count === 2,
  );
  using started = listen(fleet.events, 'attempt.started');
  await fleet.sql(async (holder) => {
    await holder`select pg_advisory_lock(4711)`; // the record waits for this
    await fleet.startWorker({ WORKER_QUEUES: 'default:1:1' });
    await started.count(2);
    expect((await fleet.job(runs[0] ?? '')).state).toBe('running');
  });
  await expectAllRanOnce(fleet, ids, runs);
});

test('after a lost channel, with long jobs running, what finds no slot comes to rest: it is not passed on again and again', async () => {
  const { job, runs, running, open } = gate();
  await using fleet = await startFleet(job);
  using passedOn = listen(fleet.events, 'hints.passed-on');
  using lost = listen(fleet.events, 'consumer.lost');
  using ready = listen(fleet.events, 'consumer.ready');
  using suppressed = listen(fleet.events, 'delivery.suppressed');
  await fleet.startWorker({ WORKER_QUEUES: 'default:1:4' });
  const ids: string[] = [];
  for (let n = 0; n < 4; n += 1) ids.push(await fleet.enqueue()); // each with a message of its own
  await eventually(() => running.size === 4, Boolean);
  await closeConnections(fleet.vhost, 'warren-worker@test:1');
  await lost.first();
  await ready.count(2);
  await fleet.database.query((sql) => cancelJob(sql, ids[0] ?? '')); // a slot for what the broker delivers again
  await suppressed.count(3);
  const more = await enqueueTogether(fleet, 4);
  const total = () => passedOn.all.reduce((sum, { count }) => sum + count, 0);
  await eventually(
    async () => {
      const before = total();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      return total() - before;
    },
    (count) => count === 0,
  );
  open();
  for (const id of [...ids.slice(1), ...more])
    expect(await fleet.until(id)).toMatchObject({ state: 'completed' });
  expect(runs.toSorted()).toEqual([...ids, ...more].toSorted());
});

test('where WORKER_QUEUES gives a queue a smaller prefetch, a message of it has no more jobs', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  const warren = new Warren({
    app: shop,
    databaseUrl: database.url,
    amqpUrl: vhost.url,
    settings: { WORKER_QUEUES: 'default:1:3,critical:1:20' },
  });
  await warren.start();
  await using _ = warren;
  // Until RabbitMQ is there, jobs are left to the relay.
  const sizes = await eventually(
    async () => {
      await warren.enqueueMany(
        Array.from({ length: 9 }, (_, n) => ({ job: processOrder, args: { orderId: String(n + 1) } })),
      );
      const messages = await takeMessages(vhost, 'warren.default').catch(() => []); // no queue is declared yet
      return messages.map(({ content }) => content.toString().split(' ').length);
    },
    (found) => found.length > 0,
  );
  expect(new Set(sizes)).toEqual(new Set([3]));
});
