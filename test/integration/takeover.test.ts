import { expect, test } from 'vitest';
import { lookAtOwner, takeOverJobs } from '../../src/shared/postgres/statements/takeover.ts';
import { readyCount } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import type { Program } from '../support/program.ts';
import { startFile } from '../support/program.ts';
import { asRole, asUser } from '../support/servers.ts';
import { untilMarkedStarted } from '../support/start-mark.ts';

/** A worker process whose jobs never end. */
async function startEndlessWorker(fleet: Fleet): Promise<Program> {
  const program = await startFile('test/support/crash-worker.ts', {
    DATABASE_URL: asRole(fleet.testDatabase.url, 'worker'),
    AMQP_URL: asUser(fleet.vhost.url, 'worker'),
    WORKER_QUEUES: 'default:1:10',
  });
  await program.waitForLog('ready');
  return program;
}

const started = (id: string) => (line: { jobId?: unknown; msg?: string }) =>
  line.msg === 'started' && line.jobId === id;

test('the jobs of a worker that is killed are taken over by another, and only those that had started are charged', async () => {
  const runs: string[] = [];
  await using fleet = await startFleet(
    testJob(async (_args, { jobId }) => {
      runs.push(jobId);
    }),
  );
  await using killed = await startEndlessWorker(fleet);
  const running = await Promise.all([fleet.enqueue(), fleet.enqueue()]);
  for (const id of running) await killed.waitForLog(started(id));
  const last = await fleet.enqueue({}, { maxAttempts: 1 });
  await killed.waitForLog(started(last));
  for (const id of [...running, last]) await untilMarkedStarted(fleet, id);

  // Locked by somebody else, the next job is delivered but cannot be claimed.
  const prefetched = await fleet.enqueue({}, { delayMs: 60_000 });
  await fleet.sql((sql) => sql`update warren.jobs set state = 'available' where id = ${prefetched}`);
  await fleet.sql((sql) =>
    sql.begin(async (transaction) => {
      await transaction`select 1 from warren.jobs where id = ${prefetched} for update`;
      await fleet.publisher.publish({ id: prefetched, type: 'test-job', queue: 'default' });
      await killWaiting(fleet, killed);
      await eventually(
        () => sessionsOfKilled(fleet),
        (sessions) => sessions.length === 0,
      );
    }),
  );
  using takeovers = listen(fleet.events, 'owner.taken-over');
  using rescues = listen(fleet.events, 'owner.rescued'); // by the leader, where the consumers come later than two seconds
  await fleet.startWorker();

  for (const id of running) {
    const job = await fleet.until(id);
    expect(job).toMatchObject({ state: 'completed', attempt: 2 });
    expect(job.errors).toMatchObject([
      { attempt: 1, message: 'worker_crashed: the worker died while it held this job' },
    ]);
  }
  expect(await fleet.until(prefetched)).toMatchObject({ state: 'completed', attempt: 1, errors: [] });
  // A crash is no failure of the job: it leaves as many attempts as there were.
  expect(await fleet.until(last)).toMatchObject({ state: 'completed', attempt: 2, maxAttempts: 2 });
  expect(runs.toSorted()).toEqual([...running, prefetched, last].toSorted());
  await eventually(
    () => [...takeovers.all, ...rescues.all].reduce((sum, { count }) => sum + count, 0),
    (count) => count === 3,
  );
  for (const { name } of [...takeovers.all, ...rescues.all])
    expect(name).toBe(`crash-worker@test:${killed.pid}`);
});

test('a worker that dies before Postgres has read what it told holds its lock until then', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await using killed = await startEndlessWorker(fleet);
  const look = (owner: string) => fleet.database.query((sql) => lookAtOwner(sql, owner));
  const orphan = await fleet.sql((sql) =>
    sql.begin(async (transaction) => {
      await transaction`select 1 from warren.workers for update`; // the mark of the start waits for this
      const job = await fleet.enqueue();
      await killed.waitForLog(started(job));
      await killWaiting(fleet, killed);
      await eventually(
        () => sessionsOfKilled(fleet),
        (sessions) => sessions.length === 1,
      );
      const owner = await ownerOf(fleet, job);
      expect(await look(owner)).toMatchObject({ isLockFree: false });
      return { id: job, owner };
    }),
  );
  await eventually(
    () => look(orphan.owner),
    ({ isLockFree }) => isLockFree,
    { everyMs: 1 },
  );
  const [claim] = await fleet.database.query((sql) =>
    takeOverJobs(sql, [orphan], { owner: '900001', claimNumber: 1, types: '{test-job}' }),
  );
  expect(claim).toMatchObject({ id: orphan.id, attempt: 2, crashes: 1 });
});

test('the rescuer gives back a job of a killed worker whose message is gone', async () => {
  await using fleet = await startFleet(testJob(async () => 'rescued'));
  await using killed = await startEndlessWorker(fleet);
  const id = await fleet.enqueue();
  await killed.waitForLog(started(id));
  await untilMarkedStarted(fleet, id);
  killed.signal('SIGKILL');
  await killed.exited;
  await eventually(
    () => readyCount(fleet.vhost, 'warren.default'),
    (ready) => ready === 1,
  );
  await fleet.vhost.management.purgeQueue('warren.default');
  using rescues = listen(fleet.events, 'owner.rescued');
  await fleet.startWorker();
  const job = await fleet.until(id);
  expect(job).toMatchObject({ state: 'completed', attempt: 2, output: 'rescued' });
  expect(job.errors).toMatchObject([{ attempt: 1, message: expect.stringMatching(/^worker_crashed/) }]);
  await rescues.first();
  expect(rescues.all).toMatchObject([{ name: `crash-worker@test:${killed.pid}`, count: 1 }]);
});

async function ownerOf(fleet: Fleet, id: string): Promise<string> {
  const [row] = await fleet.sql(
    (sql) => sql<{ owner: string }[]>`select owner from warren.jobs where id = ${id}`,
  );
  return row?.owner ?? '';
}

/** Kills the worker while one of its statements waits for a lock. */
async function killWaiting(fleet: Fleet, killed: Program): Promise<void> {
  await eventually(
    () => sessionsOfKilled(fleet),
    (sessions) => sessions.includes('Lock'),
  );
  killed.signal('SIGKILL');
  await killed.exited;
}

/** What each session of the killed worker waits for. */
async function sessionsOfKilled(fleet: Fleet): Promise<string[]> {
  const rows = await fleet.database.query(
    async (sql) =>
      await sql<{ waits: string }[]>`
      select coalesce(wait_event_type, '') as waits from pg_stat_activity
      where datname = current_database() and application_name like 'crash-worker%'`,
  );
  return rows.map(({ waits }) => waits);
}
