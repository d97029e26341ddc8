import { expect, test } from 'vitest';
import type { Job } from '../../src/shared/job/job.ts';
import { claimJobs } from '../../src/shared/postgres/statements/claim.ts';
import { unpublishUndeliveredJobs } from '../../src/shared/postgres/statements/maintenance.ts';
import { onChannel } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';

/** 48 KiB for large arguments: those above 16 KiB. */
const room = { WORKER_ARGS_MAX_BYTES: '65536', WORKER_QUEUES: 'default:1:10,critical:1:10' };
const large = { text: 'x'.repeat(20_000) };
const giant = { text: 'x'.repeat(100_000) };

/** Jobs that run until they are let go. */
function heldJobs() {
  const running = new Set<string>();
  const gate = Promise.withResolvers<void>();
  let most = 0;
  const definition = testJob(async ({ text }, { jobId, signal }) => {
    if (text === undefined) return;
    running.add(jobId);
    most = Math.max(most, running.size);
    await Promise.race([gate.promise, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
    running.delete(jobId);
  });
  return { definition, running, letGo: () => gate.resolve(), most: () => most };
}

const states = (fleet: Fleet, ids: readonly string[]) =>
  Promise.all(ids.map((id) => fleet.job(id))).then((jobs) => jobs.map(({ state }: Job) => state).sort());

test.each([
  ['by message', {}],
  ['without a broker', { AMQP_URL: 'none' }],
])(
  '%s, no more arguments are claimed than there is room for: the rest stays available until room is free',
  async (_, environment) => {
    const { definition, running, letGo, most } = heldJobs();
    await using fleet = await startFleet(definition);
    const ids = await Promise.all(Array.from({ length: 6 }, () => fleet.enqueue(large)));
    const worker = await fleet.startWorker({ ...room, ...environment });
    await eventually(
      () => running.size,
      (size) => size === 2,
    );
    // Small ones pass, in the same queue and in another.
    const small = await Promise.all([fleet.enqueue(), fleet.enqueue({}, { queue: 'critical' })]);
    for (const id of small) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
    expect(await states(fleet, ids)).toEqual([...Array(4).fill('available'), 'running', 'running']);
    expect(worker.argsRoom.takenBytes).toBeGreaterThan(40_000);
    letGo();
    for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
    expect(most()).toBe(2);
    await eventually(
      () => worker.argsRoom.takenBytes,
      (bytes) => bytes === 0,
    );
  },
);

test.each([
  ['by message', {}],
  ['without a broker', { AMQP_URL: 'none' }],
])('%s, arguments that exceed all the room run alone', async (_, environment) => {
  const { definition, letGo, most } = heldJobs();
  await using fleet = await startFleet(definition);
  letGo();
  const ids = await Promise.all(Array.from({ length: 3 }, () => fleet.enqueue(giant)));
  await fleet.startWorker({ ...room, ...environment });
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(most()).toBe(1);
});

test('a worker that stops while deliveries wait for room hands them on, uncharged', async () => {
  const { definition, running, letGo } = heldJobs();
  await using fleet = await startFleet(definition);
  const ids = await Promise.all(Array.from({ length: 6 }, () => fleet.enqueue(large)));
  const worker = await fleet.startWorker(room);
  await eventually(
    () => [worker.argsRoom.waiting, running.size],
    ([waiting, size]) => waiting === 4 && size === 2,
  );
  const stopped = fleet.stopWorker(worker);
  await fleet.startWorker(room);
  letGo();
  await stopped;
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
});

test('rows that tell no size, as an earlier version inserts them, are measured when they are claimed', async () => {
  const { definition, running, letGo, most } = heldJobs();
  await using fleet = await startFleet(definition);
  const ids = await Promise.all(Array.from({ length: 4 }, () => fleet.enqueue(large)));
  await fleet.sql((sql) => sql`update warren.jobs set args_bytes = null`);
  await fleet.startWorker(room);
  await eventually(
    () => running.size,
    (size) => size === 2,
  );
  letGo();
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed' });
  expect(most()).toBe(2);
});

test('a worker takes over no more arguments than it has room for', async () => {
  const { definition, running, letGo, most } = heldJobs();
  await using fleet = await startFleet(definition);
  const ids = await Promise.all(Array.from({ length: 5 }, () => fleet.enqueue(large)));
  // As if a worker had died that had more room.
  await fleet.database.query((sql) =>
    claimJobs(sql, ids, { owner: '4711', claimNumber: 1, types: '{test-job}' }),
  );
  await onChannel(fleet.vhost, async (channel) => {
    for (let n = 0; n < ids.length; n += 1) await channel.get('warren.default'); // the broker redelivers them
  });
  const worker = await fleet.startWorker(room);
  await eventually(
    () => [worker.argsRoom.waiting, running.size],
    ([waiting, size]) => waiting === 3 && size === 2,
  );
  letGo();
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed' });
  expect(most()).toBe(2);
  await eventually(
    () => worker.argsRoom.takenBytes,
    (bytes) => bytes === 0,
  );
});

test('a delivery that waits for room for long is not taken for lost again and again: each time its job is given twice as long', async () => {
  const { definition, running, letGo } = heldJobs();
  await using fleet = await startFleet(definition);
  const first = await fleet.enqueue(giant);
  await fleet.startWorker(room);
  await eventually(
    () => running.size,
    (size) => size === 1,
  );
  const waiting = await fleet.enqueue(giant);
  using suppressed = listen(fleet.events, 'delivery.suppressed');
  const cameTwice = () =>
    suppressed.all.filter(({ jobId, reason }) => jobId === waiting && reason === 'twice');
  /** As if that time had passed since RabbitMQ confirmed the last message. Resolves with how many jobs seem lost then. */
  const secondsLater = async (seconds: number) => {
    await eventually(
      () =>
        fleet.sql(
          (sql) => sql`
            update warren.jobs set published_at = now() - ${seconds} * interval '1 s'
            where id = ${waiting} and published_at is not null returning id`,
        ),
      ({ length }) => length === 1,
    );
    return await fleet.database.query((sql) => unpublishUndeliveredJobs(sql, ['default'], 100));
  };
  /** The worker looks for lost messages, too: whoever is first. */
  const isSentAgain = async (seconds: number) => {
    const before = cameTwice().length;
    await secondsLater(seconds);
    await eventually(
      () => cameTwice().length,
      (count) => count > before,
    );
  };
  await isSentAgain(6); // it may be lost, after all
  expect(await secondsLater(6)).toBe(0);
  await isSentAgain(11);
  expect(await secondsLater(11)).toBe(0);
  for (let times = 0; times < 4; times += 1) await isSentAgain(61); // never longer than a minute
  expect(await secondsLater(55)).toBe(0);
  letGo();
  for (const id of [first, waiting])
    expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
});

test('without a broker, small arguments pass the oldest jobs of a queue, whose arguments are too large for now, and those keep their order', async () => {
  const { definition, running, letGo, most } = heldJobs();
  await using fleet = await startFleet(definition);
  const ids: string[] = [];
  for (let job = 0; job < 12; job += 1) ids.push(await fleet.enqueue(job % 3 === 2 ? large : giant)); // three slots see giants alone
  const small = await Promise.all(Array.from({ length: 8 }, () => fleet.enqueue()));
  using started = listen(fleet.events, 'attempt.started');
  await fleet.startWorker({ ...room, WORKER_QUEUES: 'default:1:4', AMQP_URL: 'none' });
  await eventually(
    () => running.size,
    (size) => size === 1,
  );
  for (const id of small) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect([...running]).toEqual(ids.slice(0, 1));
  letGo();
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(started.all.map(({ jobId }) => jobId).filter((id) => ids.includes(id))).toEqual(ids);
  expect(most()).toBe(1);
});
