import { afterAll, beforeAll, expect, test } from 'vitest';
import { defineJob } from '../../src/jobs/define.ts';
import { insertStatement } from '../../src/shared/postgres/statements/insert.ts';
import { startApi } from '../support/api.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { putLimits, stopAdmission } from '../support/held.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const plain = testJob(async () => {});
const bill = testJob(async () => {}, {
  type: 'bill-customer',
  priority: 4,
  group: ({ customer }) => String(customer),
  orderingKey: ({ invoice }) => (invoice === undefined ? undefined : String(invoice)),
  limits: ({ customer }) => ['payments', `customer:${customer}`],
  unique: ({ invoice }) => (invoice === undefined ? undefined : { key: String(invoice) }),
  expiresInMs: 60_000,
});
let fleet: Fleet;
let stopped: AsyncDisposable;

beforeAll(async () => {
  fleet = await startFleet(plain, bill);
  stopped = await stopAdmission(fleet.testDatabase);
  await putLimits(fleet, 'stripe', 'mail', 'payments', 'customer');
});

afterAll(async () => {
  await stopped[Symbol.asyncDispose]();
  await fleet[Symbol.asyncDispose]();
});

const row = async (id: string) => {
  const [found] = await fleet.sql((sql) => sql`select * from warren.jobs where id = ${id}::text::bigint`);
  return found;
};

test('a job has the members that its enqueue gives, answered and found alike', async () => {
  const expiresAt = '2499-01-01T00:00:00.000Z';
  const given = { priority: 7, tags: ['import', 'eu "west"'], expiresAt };
  const { job, created } = await fleet.enqueuer.enqueue({ definition: plain, args: {}, ...given });
  expect(created).toBe(true);
  expect(job).toMatchObject({
    ...given,
    state: 'available',
    expiresAt: new Date(expiresAt),
    limits: [],
    group: null,
  });
  expect(await fleet.job(job.id)).toEqual({ ...job, progress: null, traceId: null });
});

test('a job that must pass gates is held at the first of them, by its priority there', async () => {
  const enqueue = async (options: object) =>
    (await fleet.enqueuer.enqueue({ definition: plain, args: {}, ...options })).job;
  const grouped = await enqueue({ group: 'acme', priority: 2 });
  expect(grouped).toMatchObject({ state: 'held', group: 'acme' });
  expect(await row(grouped.id)).toMatchObject({ held_for: 'group:default:acme', held_rank: 7 });
  const limited = await enqueue({ group: 'acme', limits: ['stripe:eu', 'mail'] });
  expect(await row(limited.id)).toMatchObject({ held_for: 'limit:stripe:eu', held_rank: 9 });
  const ordered = await enqueue({ orderingKey: 'order 7', limits: ['mail'], priority: 3 });
  expect(await row(ordered.id)).toMatchObject({ held_for: 'order:default:order 7', held_rank: 0 });
  const later = await enqueue({ group: 'acme', delayMs: 60_000 });
  expect(later.state).toBe('scheduled');
  expect(await row(later.id)).toMatchObject({ held_for: null, held_rank: null, group_key: 'acme' });
});

test('a job type says what its jobs have where the enqueue says nothing else', async () => {
  const args = { customer: 'acme', invoice: 17 };
  const { job } = await fleet.enqueuer.enqueue({ definition: bill, args });
  expect(job).toMatchObject({
    priority: 4,
    group: 'acme',
    orderingKey: '17',
    limits: ['payments', 'customer:acme'],
    uniqueKey: '17',
  });
  expect((job.expiresAt?.getTime() ?? 0) - job.runAt.getTime()).toBe(60_000);
  const again = await fleet.enqueuer.enqueue({ definition: bill, args });
  expect(again).toMatchObject({ created: false, job: { id: job.id } });
  const other = await fleet.enqueuer.enqueue({
    definition: bill,
    args: { customer: 'b' },
    priority: 0,
    limits: [],
  });
  expect(other.job).toMatchObject({
    priority: 0,
    limits: [],
    group: 'b',
    orderingKey: null,
    uniqueKey: null,
  });
});

test('a batch of plain jobs and others inserts each as it is', async () => {
  const ids = await fleet.enqueuer.enqueueBatch([
    { definition: plain, args: {} },
    { definition: plain, args: {}, group: 'acme' },
    { definition: plain, args: {}, priority: 9 },
  ]);
  const jobs = await Promise.all(ids.map((id) => fleet.job(id)));
  expect(jobs.map(({ state, priority }) => [state, priority])).toEqual([
    ['available', 0],
    ['held', 0],
    ['available', 9],
  ]);
});

test('a statement of plain jobs names none of the members that they do not have', () => {
  const job = { type: 'test-job', queue: 'default', args: {}, maxAttempts: 1 };
  expect(insertStatement([job]).text).not.toMatch(/priority|waiting_key|unique_periods|held_for/);
  expect(insertStatement([job, { ...job, rare: { priority: 1 } }]).text).toMatch(/priority/);
});

test('warren.enqueue in SQL takes a priority, and a held job holds its unique key', async () => {
  const { job } = await fleet.enqueuer.enqueue({
    definition: plain,
    args: {},
    group: 'g',
    uniqueKey: 'in SQL',
  });
  await fleet.stopWorker(await fleet.startWorker()); // tells the type
  const answers = await fleet.sql(
    (sql) => sql`
      select warren.enqueue('test-job', '{}', unique_key => 'in SQL') as same, warren.enqueue('test-job', '{}', priority => 9) as urgent`,
  );
  expect(answers[0]?.['same']).toBe(job.id);
  expect(await fleet.job(answers[0]?.['urgent'])).toMatchObject({ priority: 9 });
  await expect(
    fleet.sql((sql) => sql`select warren.enqueue('test-job', '{}', priority => 10)`),
  ).rejects.toThrow('priority must be 0 to 9');
});

test('over HTTP the members are taken, answered, listed by, and refused where they are wrong', async () => {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  const vhost = stack.use(await createVhost());
  const api = stack.use(await startApi({ databaseUrl: database.url, amqpUrl: vhost.url }));
  expect((await api.put('/v1/limits/mail', { concurrency: 1 })).status).toBe(200);
  stack.use(await stopAdmission(database));
  const post = (members: object) =>
    api.post('/v1/jobs', { type: 'process-order', args: { orderId: '17' }, ...members });
  const members = { priority: 5, group: 'acme', orderingKey: 'k', tags: ['a', 'b'], limits: ['mail:acme'] };
  const answer = await post({ ...members, expiresAt: '2499-01-01T02:00:00+02:00' });
  expect(answer.status).toBe(202);
  expect(answer.body.job).toMatchObject({ ...members, state: 'held', expiresAt: '2499-01-01T00:00:00.000Z' });
  const { id } = answer.body.job;
  const other = await post({ tags: ['a'] });
  const listed = async (query: string) =>
    (await api.get(`/v1/jobs?${query}`)).body.jobs.map((job: { id: string }) => job.id);
  expect(await listed('tag=a&tag=b')).toEqual([id]);
  expect(await listed('tag=a')).toEqual([other.body.job.id, id]);
  expect(await listed('group=acme&priority=5')).toEqual([id]);
  expect(await listed('priority=4')).toEqual([]);
  expect(await listed('state=held&state=completed&type=process-order&type=none')).toEqual([id]);
  for (const wrong of [
    { priority: 10 },
    { priority: 1.5 },
    { group: '' },
    { tags: Array.from({ length: 21 }, () => 'x') },
    { limits: ['No Name'] },
    { expiresAt: 'soon' },
    { unique: { key: 'a', for: 'ever' } },
    { unique: { key: 'a' }, uniqueKey: 'a' },
  ]) {
    const [member] = Object.keys(wrong);
    const refused = await post(wrong);
    expect(refused.status).toBe(422);
    expect(refused.body.errors[0].pointer).toMatch(`/${member}`);
  }
});

test('defineJob takes the limits of all its jobs as a list', () => {
  const definition = defineJob({ type: 'x', args: plain.args, limits: ['mail'], perform: async () => {} });
  expect(definition.limits?.({})).toEqual(['mail']);
});
