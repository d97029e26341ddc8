import { expect, test } from 'vitest';
import { claimNextJobs } from '../../src/shared/postgres/statements/claim-next.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { startFaultyProxy } from '../support/faulty-proxy.ts';
import { startFleet, testJob } from '../support/fleet.ts';

test('workers without a broker take jobs from Postgres, retries and delays included', async () => {
  await using fleet = await startFleet(
    testJob(async (_args, { attempt }) => {
      if (attempt === 1) throw new Error('once');
    }),
  );
  await fleet.startWorker({ AMQP_URL: 'none' });
  const ids = await Promise.all([
    fleet.enqueue(),
    fleet.enqueue({}, { delayMs: 100 }),
    fleet.enqueue({}, { queue: 'critical' }),
  ]);
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 2 });
});

test('two workers without a broker share the jobs: each starts once, and never more than the slots', async () => {
  const starts = new Map<string, number>();
  let running = 0;
  let most = 0;
  await using fleet = await startFleet(
    testJob(async (_args, { jobId }) => {
      starts.set(jobId, (starts.get(jobId) ?? 0) + 1);
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    }),
  );
  const ids = await Promise.all(Array.from({ length: 300 }, () => fleet.enqueue()));
  const slots = { AMQP_URL: 'none', WORKER_QUEUES: 'default:2:3' };
  await Promise.all([fleet.startWorker(slots), fleet.startWorker(slots)]);
  for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect([...starts.values()].filter((count) => count !== 1)).toEqual([]);
  expect(starts.size).toBe(300);
  expect(most).toBeLessThanOrEqual(12);
});

test('the fleet goes on while the broker is away, and returns to it', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await using proxy = await startFaultyProxy(fleet.vhost.url);
  const worker = await fleet.startWorker({ AMQP_URL: proxy.url });
  await fleet.until(await fleet.enqueue(), 'completed');
  using lanes = listen(fleet.events, 'lane.changed');

  proxy.cut();
  await eventually(
    () => worker.checks(),
    ({ rabbitmq }) => rabbitmq?.ok === false,
  );
  const during = await Promise.all(Array.from({ length: 50 }, () => fleet.enqueue()));
  for (const id of during) expect(await fleet.until(id)).toMatchObject({ state: 'completed', attempt: 1 });
  expect(await worker.checks()).toMatchObject({
    lane: { ok: false, detail: 'jobs are taken straight from Postgres' },
  });

  proxy.restore();
  await eventually(
    () => worker.checks(),
    ({ rabbitmq, consumers, lane }) => [rabbitmq, consumers, lane].every((check) => check?.ok === true),
  );
  expect(lanes.all).toEqual([{ lane: 'postgres' }, { lane: 'rabbitmq' }]);
  expect(await fleet.until(await fleet.enqueue())).toMatchObject({ state: 'completed', attempt: 1 });
  // The messages of the jobs that ran meanwhile find nothing to claim.
  const depth = () => fleet.vhost.management.queue('warren.default');
  await eventually(depth, (queue) => queue?.messages === 0 && (queue.consumers ?? 0) === 2);
  expect(await fleet.sql((sql) => sql`select id from warren.jobs where attempt <> 1`)).toHaveLength(0);
});

test('a paused queue is left alone without a broker, too', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.sql((sql) => sql`insert into warren.queues (name, paused) values ('default', true)`);
  const id = await fleet.enqueue();
  const wanted = [
    { queue: 'default', slots: 5 },
    { queue: 'critical', slots: 5 },
  ];
  const budget = { smallBytes: 1_000, largeBytes: 0, largeAbove: 1_000, mostBytes: 1_000 };
  const options = { wanted, except: [], budget, owner: '1', claimNumber: 1, types: '{test-job}' };
  expect(await fleet.database.query((sql) => claimNextJobs(sql, options))).toEqual([]);
  await fleet.sql((sql) => sql`update warren.queues set paused = false`);
  const claims = await fleet.database.query((sql) => claimNextJobs(sql, options));
  expect(claims.map((claim) => claim.id)).toEqual([id]);
});
