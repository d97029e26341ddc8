import { getPriority, setPriority } from 'node:os';
import { describe, expect, test } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import { cancelJob } from '../../src/shared/postgres/statements/control.ts';
import { readConfig } from '../../src/shared/settings/config.ts';
import { Worker } from '../../src/worker/worker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleetWith } from '../support/fleet.ts';
import { isolatedJobs, module } from '../support/isolated-jobs.ts';
import { startFile } from '../support/program.ts';
import { asRole, asUser } from '../support/servers.ts';
import { testApp } from '../support/test-app.ts';

const startIsolatedFleet = () => startFleetWith({ module }, ...isolatedJobs);

/** Enqueues a job of the type and waits for its end. */
async function run(fleet: Fleet, type: string, does: string, maxAttempts = 1) {
  return await fleet.until(await fleet.enqueue({ does }, { type, maxAttempts }));
}

interface Place {
  pid: number;
  threadId: number;
}

/** The attempts that say that they wait, as many as wanted: where they are. */
async function waiting(heard: ReturnType<typeof listenToWaits>, wanted: number): Promise<Place[]> {
  await heard.count(wanted, ({ message }) => message === 'waits');
  return heard.all.map(({ details }) => details as Place);
}
const listenToWaits = (fleet: Fleet) => listen(fleet.events, 'handler.logged');

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

describe.each(['thread', 'process'] as const)('in a %s', (kind) => {
  test('a handler has all that it has in its worker, and the next one finds it warm', async () => {
    await using fleet = await startIsolatedFleet();
    await fleet.startWorker();
    using said = listen(fleet.events, 'handler.logged');
    using told = listen(fleet.events, 'handler.progressed');
    const type = `in-${kind}`;
    const first = await run(fleet, type, 'tell');
    expect(first.output).toMatchObject({ attempt: 1 });
    const { pid, threadId } = first.output as Place;
    expect(kind === 'thread' ? threadId : pid).not.toBe(kind === 'thread' ? 0 : process.pid);
    expect((await run(fleet, type, 'tell')).output).toEqual({ pid, threadId, attempt: 1 });
    expect(said.all[0]).toMatchObject({ jobId: first.id, message: 'here', details: { pid, threadId } });
    expect(told.all[0]).toMatchObject({ jobId: first.id, share: 0.5, text: 'half way' });

    expect((await run(fleet, type, 'services')).output).toMatchObject({
      name: expect.stringMatching(/ isolated$/),
    });
    await fleet.sql((sql) => sql`create table public.effects (id int)`);
    await fleet.sql((sql) => sql`grant insert on public.effects to public`);
    expect(await run(fleet, type, 'transaction')).toMatchObject({ state: 'completed', output: 'committed' });
    expect(await fleet.sql((sql) => sql`select id from public.effects`)).toHaveLength(1);
    expect(await run(fleet, type, 'snooze')).toMatchObject({ state: 'completed', attempt: 1 });
    const failed = await run(fleet, type, 'fail', 2);
    expect(failed).toMatchObject({ state: 'discarded', attempt: 2 });
    expect(failed.errors[1]).toMatchObject({
      message: 'Error: broken',
      stack: expect.stringContaining('isolated-jobs.ts'),
      causes: [{ message: 'TypeError: before' }],
    });
    expect((await run(fleet, type, 'tell')).output).toMatchObject({ pid, threadId }); // none of it has ended it
  });

  test('what takes it down is the failure of that attempt, and of no other', async () => {
    await using fleet = await startIsolatedFleet();
    await fleet.startWorker();
    const exited = await run(fleet, `in-${kind}`, 'exit', 2);
    expect(exited).toMatchObject({ state: 'discarded', attempt: 2 });
    const message = `isolate_crashed: the ${kind} that the attempt ran in has ended (exit code 66)`;
    expect(exited.errors.map((error) => error.message)).toEqual([message, message]);
    const threw = await run(fleet, `in-${kind}`, 'throwLater');
    expect(threw.errors[0]?.message).toMatch(
      kind === 'thread' ? 'thrown where nobody catches it' : 'exit code 1',
    );
    const leaked = await run(fleet, `small-${kind}`, 'leak');
    expect(leaked.errors[0]?.message).toMatch(/isolate_crashed.* MB of memory/);
    expect(await run(fleet, `in-${kind}`, 'tell')).toMatchObject({ state: 'completed' });
    expect(await run(fleet, 'neighbour', 'tell')).toMatchObject({ output: { pid: process.pid } });
  });

  test('an attempt ends for certain: at its time-out, at a cancel, and where its worker stops', async () => {
    await using fleet = await startIsolatedFleet();
    const worker = await fleet.startWorker({ DRAIN_TIMEOUT_MS: '0' });
    const late = await run(fleet, `short-${kind}`, 'loop');
    expect(late.errors.map((error) => error.message)).toEqual([
      `timeout: the attempt took longer than 500 ms, and its ${kind} was ended`,
    ]);
    using said = listenToWaits(fleet);
    const ids = [
      await fleet.enqueue({ does: 'ignoreSignal' }, { type: `in-${kind}` }),
      await fleet.enqueue({ does: 'ignoreSignal' }, { type: `small-${kind}` }),
    ] as const;
    const places = await waiting(said, 2);
    const queued = await fleet.enqueue({ does: 'wait' }, { type: `in-${kind}` });
    await fleet.until(queued, 'running'); // it waits for the one place of its type
    await fleet.database.query((sql) => cancelJob(sql, ids[0]));
    expect(await fleet.until(ids[0])).toMatchObject({ state: 'cancelled', attempt: 1 });
    await said.first(({ jobId }) => jobId === queued);
    await fleet.stopWorker(worker);
    for (const id of [ids[1], queued])
      expect(await fleet.job(id)).toMatchObject({ state: 'available', attempt: 0, errors: [] });
    if (kind === 'process') expect(places.map(({ pid }) => isAlive(pid))).toEqual([false, false]);
  });
});

test('what its type hides is hidden in what takes a thread down, too', async () => {
  await using fleet = await startIsolatedFleet();
  await fleet.startWorker();
  const args = { does: 'throwLater', token: 'a-secret-token' };
  const failed = await fleet.until(await fleet.enqueue(args, { type: 'hiding-thread', maxAttempts: 1 }));
  expect(failed.errors[0]?.message).toMatch(/isolate_crashed.*nobody catches it \[redacted\]/);
  expect(JSON.stringify(failed.errors)).not.toContain('a-secret-token');
});

test('a process that holds too much outside of its heap is ended, too', async () => {
  await using fleet = await startIsolatedFleet();
  await fleet.startWorker();
  const leaked = await run(fleet, 'small-process', 'leakBuffers');
  expect(leaked.errors[0]?.message).toMatch(/isolate_crashed.*SIGABRT.*150 MB of memory/);
});

test('a thread that loops for ever and a process that leaks disturb no neighbour; one ends at its time-out, the other there or at its memory', async () => {
  await using fleet = await startIsolatedFleet();
  await fleet.startWorker();
  using started = listen(fleet.events, 'attempt.started');
  const hostile = [
    await fleet.enqueue({ does: 'loop' }, { type: 'short-thread', maxAttempts: 1 }),
    await fleet.enqueue({ does: 'leak' }, { type: 'short-process', maxAttempts: 1 }),
  ];
  await started.count(2);
  const neighbours = await Promise.all(
    Array.from({ length: 200 }, () => fleet.enqueue({ does: 'tell' }, { type: 'neighbour' })),
  );
  for (const id of neighbours)
    expect(await fleet.until(id)).toMatchObject({
      state: 'completed',
      attempt: 1,
      output: { threadId: expect.any(Number) },
    });
  const ends = [/^timeout: /, /^(timeout|isolate_crashed): /]; // how fast it leaks is the machine's
  for (const [index, id] of hostile.entries())
    expect(await fleet.until(id)).toMatchObject({
      state: 'discarded',
      attempt: 1,
      errors: [{ message: expect.stringMatching(ends[index] ?? '') }],
    });
});

test('threads and processes stand back behind the worker, as far as their type says', async () => {
  setPriority(Math.min(19, getPriority() + 1)); // at 0 nobody could tell behind the worker from behind everybody
  await using fleet = await startIsolatedFleet();
  await fleet.startWorker();
  const priorityOf = async (type: string) =>
    (await fleet.until(await fleet.enqueue({ does: 'tellPriority' }, { type }))).output;
  const own = Number(await priorityOf('neighbour'));
  expect(await priorityOf('in-process')).toBe(Math.min(19, own + 10));
  expect(await priorityOf('in-thread')).toBe(process.platform === 'linux' ? Math.min(19, own + 10) : own);
  expect(await priorityOf('short-process')).toBe(Math.min(19, own + 5));
});

test('a worker that is killed leaves no process behind', async () => {
  await using fleet = await startIsolatedFleet();
  await using worker = await startFile('test/support/isolated-worker.ts', {
    DATABASE_URL: asRole(fleet.testDatabase.url, 'worker'),
    AMQP_URL: asUser(fleet.vhost.url, 'worker'),
    WORKER_QUEUES: 'default:1:10',
  });
  await fleet.enqueue({ does: 'wait' }, { type: 'in-process' });
  await fleet.enqueue({ does: 'loop' }, { type: 'small-process' }); // it never hears that its worker has gone
  const { pid } = (await worker.waitForLog('waits')) as unknown as Place;
  expect(isAlive(pid)).toBe(true);
  worker.signal('SIGKILL');
  await worker.exited;
  await eventually(
    () => isAlive(pid),
    (alive) => !alive,
  );
});

test('a worker does not start where its application does not say what the threads and processes are to load', () => {
  const app = testApp(isolatedJobs as Parameters<typeof testApp>[0]);
  const config = readConfig('worker', app, { DATABASE_URL: 'postgres://nowhere', AMQP_URL: 'none' });
  expect(() => new Worker({ config, name: 'test', app, events: new Events() })).toThrow(
    'job type "in-thread" is to run in a thread of its own, which imports the module of the application',
  );
});
