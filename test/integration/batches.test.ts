// Batches: jobs that belong together, told of as one, and what is enqueued when they have ended.
import { expect, test } from 'vitest';
import { BatchKeeper } from '../../src/queue/batches/batch-keeper.ts';
import { createBatches } from '../../src/queue/batches/batches.ts';
import { toNewJob } from '../../src/queue/new-job.ts';
import { Unrecoverable } from '../../src/shared/base/errors.ts';
import type { JobContext, JobDefinition } from '../../src/shared/job/job.ts';
import { insertJobs } from '../../src/shared/postgres/statements/insert.ts';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleetWith, testJob } from '../support/fleet.ts';

const order = (id: string) => ({ type: 'process-order', args: { orderId: id } });

const noted = testJob(async () => {}, { type: 'noted' });
const member = (perform: (args: Record<string, unknown>, context: JobContext) => Promise<void>) =>
  testJob(perform as Parameters<typeof testJob>[0], { type: 'member', maxAttempts: 2 });

const batchesOf = ({ database, events, enqueuer, app }: Fleet) =>
  createBatches({ database, events, app, enqueuer });
const request = (definition: JobDefinition<Record<string, unknown>>, args = {}) => ({
  definition: definition as JobDefinition,
  args,
});
const callbacks = (name = 'noted') => ({
  onFirstFailure: request(noted, { when: 'first failure', name }),
  onSuccess: request(noted, { when: 'success', name }),
  onEnd: request(noted, { when: 'end', name }),
});

/** What was enqueued for the batch, in its order. */
const called = async (fleet: Fleet, id: string): Promise<string[]> => {
  const rows = await fleet.sql(
    (sql) =>
      sql<
        { when: string }[]
      >`select args ->> 'when' as when from warren.jobs where callback_of = ${id} order by id`,
  );
  return rows.map(({ when }) => when);
};
const untilEnded = (fleet: Fleet, id: string) =>
  eventually(
    () => batchesOf(fleet).find(id),
    ({ finishedAt }) => finishedAt !== null,
  );

test('a batch is created, looked at, joined, closed and cancelled over HTTP', async () => {
  await using fleet = await startFleetWith({}, noted);
  await using api = await startApi({ databaseUrl: fleet.testDatabase.url, amqpUrl: fleet.vhost.url });
  const key = { 'idempotency-key': 'nightly' };
  const body = { jobs: [order('1'), order('2')], onEnd: order('3') };
  const created = await api.post('/v1/batches', body, key);
  expect(created).toMatchObject({
    status: 202,
    body: { state: 'running', open: false, total: 2, counts: { available: 2 }, done: 0, finishedAt: null },
  });
  const { id } = created.body;
  expect(created.headers.get('location')).toBe(`/v1/batches/${id}`);
  expect(await api.post('/v1/batches', body, key)).toMatchObject({
    body: { id, ids: created.body.ids },
  });
  for (const different of [
    { open: true },
    { onEnd: order('9') },
    { onEnd: undefined },
    { onSuccess: order('3') },
  ])
    expect(await api.post('/v1/batches', { ...body, ...different }, key)).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    });
  expect(await api.post('/v1/jobs/batch', { jobs: body.jobs }, key)).toMatchObject({ status: 422 });
  expect(await api.get(`/v1/jobs/${created.body.ids[0]}`)).toMatchObject({ body: { job: { batch: id } } });
  const joined = await api.post('/v1/jobs', { ...order('4'), batch: id });
  expect(joined).toMatchObject({ status: 202, body: { job: { batch: id } } });
  const { body: list } = await api.get(`/v1/jobs?batch=${id}`);
  expect(list.jobs).toHaveLength(3);
  expect(await api.post(`/v1/batches/${id}/cancel`)).toMatchObject({ status: 200 });
  expect(await untilEnded(fleet, id)).toMatchObject({
    state: 'cancelled',
    total: 3,
    counts: { cancelled: 3 },
    done: 1,
  });
  expect(await called(fleet, id)).toHaveLength(1);

  const late = { ...order('5'), batch: id };
  expect(await api.post('/v1/jobs', late, { 'idempotency-key': 'late' })).toMatchObject({
    status: 409,
    body: { code: 'batch_ended' },
  });
  expect(await api.post('/v1/jobs', late, { 'idempotency-key': 'late' })).toMatchObject({ status: 409 });
  expect(await api.post('/v1/jobs/batch', { jobs: [order('6'), late] })).toMatchObject({ status: 409 });
  expect(await api.post(`/v1/batches/${id}/close`)).toMatchObject({ status: 409 });
  expect(await api.get('/v1/batches/999')).toMatchObject({ status: 404 });
  expect(await api.get('/v1/batches/many')).toMatchObject({ status: 404 });
  expect(await api.post('/v1/batches', { jobs: [] })).toMatchObject({ status: 422 });
  expect(await api.post('/v1/batches', { jobs: [order('7'), { type: 'unknown', args: {} }] })).toMatchObject({
    status: 422,
    body: { errors: [{ pointer: '/jobs/1/type' }] },
  });
  expect(await api.post('/v1/batches', { jobs: [order('8')], onEnd: { type: 'unknown' } })).toMatchObject({
    status: 422,
  });
  const [{ count } = { count: 0 }] = await fleet.sql(
    (sql) => sql<{ count: number }[]>`select count(*)::int as count from warren.jobs`,
  );
  expect(count).toBe(4);
});

test('an open batch ends when it is closed, and one without jobs of its own at once', async () => {
  const job = member(async () => {});
  await using fleet = await startFleetWith({}, job, noted);
  await fleet.startWorker();
  const batches = batchesOf(fleet);
  const { batch } = await batches.create({ jobs: [request(job)], open: true, ...callbacks() });
  await eventually(
    () => batches.find(batch.id),
    ({ counts }) => counts.completed === 1,
  );
  await new BatchKeeper({ ...fleet, announce: () => {} }).lookNow([batch.id]);
  expect(await batches.find(batch.id)).toMatchObject({ state: 'running', open: true, done: 1 });
  await batches.close(batch.id);
  expect(await untilEnded(fleet, batch.id)).toMatchObject({ state: 'completed', open: false });
  const { batch: empty } = await batches.create({ jobs: [], open: true, ...callbacks() });
  await batches.close(empty.id);
  expect(await untilEnded(fleet, empty.id)).toMatchObject({ state: 'completed', total: 0, done: 0 });
  expect(await called(fleet, empty.id)).toEqual(['success', 'end']);
});

test('members enqueue more members, and the batch ends once, after the last of them, with its callbacks', async () => {
  const seen: (string | undefined)[] = [];
  const told = testJob(
    async (_args, { batchId }) => {
      seen.push(batchId);
    },
    { type: 'noted' },
  );
  const grows: JobDefinition<Record<string, unknown>> = member(async ({ depth }, { batchId }) => {
    if (Number(depth) === 0) return;
    const child = { ...request(grows, { depth: Number(depth) - 1 }), batch: batchId };
    await fleet.enqueuer.enqueue(child);
    await fleet.enqueuer.enqueueBatch([child, child]);
  });
  await using fleet = await startFleetWith({}, grows, told);
  await Promise.all([fleet.startWorker(), fleet.startWorker()]);
  const created = await Promise.all(
    Array.from({ length: 10 }, () =>
      batchesOf(fleet).create({ jobs: [request(grows, { depth: 3 })], ...callbacks() }),
    ),
  );
  for (const { batch } of created) {
    expect(await untilEnded(fleet, batch.id)).toMatchObject({
      state: 'completed',
      total: 40,
      counts: { completed: 40 },
    });
    expect(await called(fleet, batch.id)).toEqual(['success', 'end']);
  }
  await eventually(
    () => seen,
    ({ length }) => length === 20,
  );
  expect(new Set(seen)).toEqual(new Set(created.map(({ batch }) => batch.id)));
});

test('the first job that is discarded calls once, while others live; then there is no success', async () => {
  const others = Promise.withResolvers<void>();
  const job = member(async ({ fails }) => {
    if (fails === true) throw new Unrecoverable('broken');
    await others.promise;
  });
  await using fleet = await startFleetWith({}, job, noted);
  await fleet.startWorker();
  const jobs = [{ fails: true }, { fails: true }, {}].map((args) => request(job, args));
  const { batch } = await batchesOf(fleet).create({ jobs, ...callbacks() });
  await eventually(
    () => called(fleet, batch.id),
    (whens) => whens.length > 0,
  );
  expect(await batchesOf(fleet).find(batch.id)).toMatchObject({ state: 'running' });
  others.resolve();
  expect(await untilEnded(fleet, batch.id)).toMatchObject({
    state: 'failed',
    counts: { discarded: 2, completed: 1 },
  });
  expect(await called(fleet, batch.id)).toEqual(['first failure', 'end']);
});

test('a callback that belongs to a batch is enqueued although that one has ended', async () => {
  await using fleet = await startFleetWith({}, noted);
  await fleet.startWorker();
  const batches = batchesOf(fleet);
  const outer = await batches.create({ jobs: [], open: true });
  await batches.close(outer.batch.id);
  await untilEnded(fleet, outer.batch.id);
  const living = await batches.create({ jobs: [], open: true });
  const { batch } = await batches.create({
    jobs: [request(noted)],
    onSuccess: { ...request(noted, { when: 'success' }), batch: living.batch.id },
    onEnd: { ...request(noted, { when: 'end' }), batch: outer.batch.id },
  });
  await untilEnded(fleet, batch.id);
  const rows = await eventually(
    () =>
      fleet.sql(
        (sql) => sql`select args ->> 'when' as when, batch_id as "batchId", state from warren.jobs
          where callback_of = ${batch.id} order by 1`,
      ),
    (rows) => rows.every(({ state }) => state === 'completed'),
  );
  expect(rows).toEqual([
    { when: 'end', batchId: null, state: 'completed' },
    { when: 'success', batchId: living.batch.id, state: 'completed' },
  ]);
});

test('where nobody was left to tell that the last job has ended, the leader finds out; many who look at once call once', async () => {
  const job = member(async () => {});
  await using fleet = await startFleetWith({}, job, noted);
  const ids: string[] = [];
  for (let n = 0; n < 5; n += 1) {
    const { batch } = await batchesOf(fleet).create({ jobs: [request(job), request(job)], ...callbacks() });
    ids.push(batch.id);
  }
  // As a worker leaves it that dies between its record and its look.
  await fleet.sql(
    (sql) => sql`update warren.jobs set state = 'completed', finished_at = now() where batch_id is not null`,
  );
  const [first = '', ...others] = ids;
  const keepers = Array.from({ length: 8 }, () => new BatchKeeper({ ...fleet, announce: () => {} }));
  await Promise.all(keepers.map((keeper) => keeper.lookNow([first])));
  await Promise.all(keepers.map((keeper) => keeper.idle()));
  expect(await called(fleet, first)).toEqual(['success', 'end']);
  await fleet.startWorker();
  for (const id of others) {
    await untilEnded(fleet, id);
    expect(await called(fleet, id)).toEqual(['success', 'end']);
  }
});

test('a batch does not end while a job joins it, and who joins it too late is refused', async () => {
  const job = member(async () => {});
  await using fleet = await startFleetWith({}, job, noted);
  const { batch, ids } = await batchesOf(fleet).create({ jobs: [request(job)], ...callbacks() });
  await fleet.sql(
    (sql) => sql`update warren.jobs set state = 'completed', finished_at = now() where id = ${ids[0] ?? ''}`,
  );
  const joining = await toNewJob({ ...request(job), batch: batch.id });
  const keeper = new BatchKeeper({ ...fleet, announce: () => {} });
  await fleet.database.transaction(async (sql) => {
    expect(await insertJobs(sql, [joining])).toMatchObject([{ outcome: 'inserted' }]);
    await keeper.lookNow([batch.id]); // it is locked: left, to be looked at again
  });
  await keeper.idle();
  expect(await batchesOf(fleet).find(batch.id)).toMatchObject({ state: 'running', total: 2 });
  await fleet.sql(
    (sql) =>
      sql`update warren.jobs set state = 'completed', finished_at = now() where batch_id = ${batch.id}`,
  );
  await keeper.lookNow([batch.id]);
  await expect(fleet.enqueuer.enqueue({ ...request(job), batch: batch.id })).rejects.toMatchObject({
    code: 'batch_ended',
  });
});

test('where another job holds the unique key of a member, its id is told, again where the request is repeated', async () => {
  const job = member(async () => {});
  await using fleet = await startFleetWith({}, job, noted);
  const batches = batchesOf(fleet);
  const { job: holder } = await fleet.enqueuer.enqueue({ ...request(job), uniqueKey: 'acme' });
  const held = { ...request(job, { n: 1 }), uniqueKey: 'acme' };
  const own = request(job, { n: 2 });
  const created = await batches.create({ jobs: [held, own] }, 'nightly');
  expect(created.ids[0]).toBe(holder.id);
  expect(created.batch).toMatchObject({ total: 1 });
  expect(await batches.create({ jobs: [held, own] }, 'nightly')).toMatchObject({
    batch: { id: created.batch.id },
    ids: created.ids,
  });

  const empty = await batches.create({ jobs: [held] }, 'hourly');
  expect(empty.ids).toEqual([holder.id]);
  expect(await batches.create({ jobs: [held] }, 'hourly')).toMatchObject({ batch: { id: empty.batch.id } });

  const replacing = { ...request(job, { n: 3 }), unique: { key: 'acme', onConflict: 'replace' } as const };
  expect((await batches.create({ jobs: [replacing] })).ids).toEqual([holder.id]);
  const [row] = await fleet.sql((sql) => sql`select args, batch_id from warren.jobs where id = ${holder.id}`);
  expect(row).toMatchObject({ args: { n: 3 }, batch_id: null });
});

test('a batch that is cancelled takes no more jobs from inside, and what is locked meanwhile is cancelled, too', async () => {
  const cancelled = Promise.withResolvers<void>();
  const refusals: unknown[] = [];
  const grows: JobDefinition<Record<string, unknown>> = member(async (_args, { batchId, signal }) => {
    await cancelled.promise;
    await fleet.enqueuer
      .enqueue({ ...request(grows), batch: batchId })
      .catch((error) => refusals.push(error));
    signal.throwIfAborted();
  });
  await using fleet = await startFleetWith({}, grows);
  const batches = batchesOf(fleet);
  const jobs = [request(grows), { ...request(grows), delayMs: 3_600_000 }];
  const { batch, ids } = await batches.create({ jobs });
  await fleet.startWorker();
  await eventually(
    () => batches.find(batch.id),
    ({ counts }) => counts.running === 1,
  );
  const cancelling = await fleet.database.transaction(async (sql) => {
    await sql`select from warren.jobs where id = ${ids[1] ?? ''} for update`; // as where it is just being made available
    const result = batches.cancel(batch.id);
    await eventually(
      () =>
        fleet.sql(
          (other) =>
            other`select cancel_requested_at is not null as asked from warren.jobs where id = ${ids[0] ?? ''}`,
        ),
      ([row]) => row?.['asked'] === true,
    );
    return { result };
  });
  await cancelling.result;
  cancelled.resolve();
  expect(await untilEnded(fleet, batch.id)).toMatchObject({
    state: 'cancelled',
    total: 2,
    counts: { cancelled: 2 },
  });
  expect(refusals).toMatchObject([{ code: 'batch_ended' }]);
});
