import { expect, test } from 'vitest';
import { QueueFull } from '../../src/index.ts';
import { DepthLimits } from '../../src/queue/depth-limits.ts';
import { setQueue } from '../../src/shared/postgres/statements/queues.ts';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { createDatabase } from '../support/servers.ts';

test('a queue with a depth takes so many waiting jobs and answers 429 beyond, a batch as a whole; other queues take any number', async () => {
  await using database = await createDatabase();
  await using api = await startApi({ databaseUrl: database.url });
  const job = { type: 'process-order', args: { orderId: '17' } };
  const batch = (count: number) => api.post('/v1/jobs/batch', { jobs: Array(count).fill(job) });
  expect((await batch(5)).status).toBe(202);
  expect((await api.put('/v1/queues/default', { maxDepth: 7 })).status).toBe(200);
  expect((await batch(3)).status).toBe(429);
  expect((await batch(1)).status).toBe(202);
  expect((await api.post('/v1/jobs', job)).status).toBe(202);
  const refused = await api.post('/v1/jobs', job);
  expect(refused).toMatchObject({
    status: 429,
    body: {
      code: 'queue_full',
      detail: 'the queue "default" takes 7 waiting jobs: 7 wait, and 1 would be added',
    },
  });
  expect(refused.headers.get('retry-after')).toBe('1');
  expect(refused.headers.get('content-type')).toContain('application/problem+json');
  expect((await api.post('/v1/jobs', { ...job, queue: 'critical' })).status).toBe(202);
  const act = await api.post('/v1/jobs/bulk', { action: 'cancel', filter: { queue: 'default' } });
  expect(act).toMatchObject({ status: 202, body: { job: { queue: 'default' } } });
  await api.post('/v1/queues/default/drain');
  expect((await api.post('/v1/jobs', job)).status).toBe(202);
  await api.put('/v1/queues/default', { maxDepth: null });
  expect((await batch(20)).status).toBe(202);
});

test('a process that has set no limit itself knows of one within a second, and takes jobs again when some have run', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.enqueue();
  await fleet.database.query((sql) => setQueue(sql, 'default', { maxDepth: 3 }));
  const tryEnqueue = () =>
    fleet.enqueue().then(
      () => undefined,
      (error: unknown) => error,
    );
  const refused = await eventually(tryEnqueue, (error) => error !== undefined);
  expect(refused).toBeInstanceOf(QueueFull);
  expect(refused).toMatchObject({ code: 'queue_full', queue: 'default', maxDepth: 3 });
  await fleet.startWorker();
  expect(await eventually(tryEnqueue, (error) => error === undefined)).toBeUndefined();
});

test('a queue without a limit waits for nothing once the limits were read, and where nobody can tell nothing is refused', async () => {
  const definition = testJob(async () => {});
  const requests = [{ definition, queue: 'default' }];
  await using fleet = await startFleet(definition);
  const limits = new DepthLimits(fleet.database);
  await limits.enter(requests);
  expect(limits.enter(requests)).toBeUndefined();
  await fleet.sql((sql) => sql`drop table warren.queues cascade`);
  const blind = new DepthLimits(fleet.database);
  expect(await blind.enter(requests)).toBeUndefined();
});
