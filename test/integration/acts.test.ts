// What people do to one job: every act in every state, and what follows from it for queues, gates, keys and messages.
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JobState } from '../../src/shared/job/transitions.ts';
import { jobStates } from '../../src/shared/job/transitions.ts';
import { Events } from '../../src/shared/observe/events.ts';
import type { RunningApi } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import type { TestDatabase } from '../support/servers.ts';
import { createDatabase } from '../support/servers.ts';

const stack = new AsyncDisposableStack();
const events = new Events();
let database: TestDatabase;
let api: RunningApi;
let sql: postgres.Sql;

beforeAll(async () => {
  database = stack.use(await createDatabase());
  sql = postgres(database.url, { max: 1, onnotice: () => {} });
  stack.defer(() => sql.end());
  api = stack.use(await startApi({ databaseUrl: database.url, events }));
  await fillLimit();
});
afterAll(() => stack.disposeAsync());

interface Row {
  state: JobState;
  limits?: string[];
  orderingKey?: string;
  args?: object;
  expiresAt?: string;
  deadlineAt?: string;
}

/** A job as it stands in this state after an attempt or none, due at once or in an hour. */
async function insert({ state, ...job }: Row): Promise<string> {
  const hasEnded = ['completed', 'cancelled', 'discarded'].includes(state);
  const isTimed = state === 'scheduled' || state === 'retryable';
  const [row] = await sql<{ id: string }[]>`
    insert into warren.jobs (type, queue, args, state, max_attempts, attempt, run_at, finished_at, owner, limits, ordering_key,
      published_at, held_for, held_rank, expires_at, deadline_at)
    values ('process-order', 'default', ${JSON.stringify(job.args ?? { orderId: '17' })}::text::jsonb, ${state}, 3, ${isTimed || state === 'held' ? 0 : 1},
      now() + ${isTimed ? 1 : 0} * interval '1 h', ${hasEnded ? new Date() : null}, ${state === 'running' ? 1 : null},
      ${job.limits ?? null}::text[], ${job.orderingKey ?? null}, now(),
      case when ${state} = 'held' then warren.first_gate('default', null, ${job.orderingKey ?? null}, ${job.limits ?? null}::text[]) end,
      case when ${state} = 'held' then 9 end, ${job.expiresAt ?? null}::timestamptz, ${job.deadlineAt ?? null}::timestamptz)
    returning id::text`;
  return row?.id ?? '';
}

interface StoredRow {
  state: string;
  queue: string;
  fence: number;
  held_for: string | null;
  isPublished: boolean;
  isLater: boolean;
}

async function stored(id: string): Promise<StoredRow | undefined> {
  const [row] = await sql<StoredRow[]>`
    select state, queue, fence, held_for, published_at is not null as "isPublished", run_at > now() as "isLater"
    from warren.jobs where id = ${id}`;
  return row;
}

const inTwoHours = () => new Date(Date.now() + 7_200_000).toISOString();
const longAgo = '2026-01-01T00:00:00Z';

/** What each act answers in each state: the state that the job has then; none where it is refused. */
const acts: Record<
  string,
  { ask: (id: string) => ReturnType<RunningApi['get']>; after: Partial<Record<JobState, string>> }
> = {
  run: {
    ask: (id) => api.post(`/v1/jobs/${id}/run`),
    after: { scheduled: 'available', retryable: 'available' },
  },
  retry: {
    ask: (id) => api.post(`/v1/jobs/${id}/retry`),
    after: { retryable: 'available', cancelled: 'available', discarded: 'available' },
  },
  'retry with other arguments': {
    ask: (id) => api.post(`/v1/jobs/${id}/retry`, { args: { orderId: '18' } }),
    after: { retryable: 'available', cancelled: 'available', discarded: 'available' },
  },
  'edit of the arguments': {
    ask: (id) => api.patch(`/v1/jobs/${id}`, { args: { orderId: '18' } }),
    after: { scheduled: 'scheduled', held: 'held', available: 'available', retryable: 'retryable' },
  },
  'edit to a later time': {
    ask: (id) => api.patch(`/v1/jobs/${id}`, { runAt: inTwoHours() }),
    after: { scheduled: 'scheduled', held: 'scheduled', available: 'scheduled', retryable: 'scheduled' },
  },
  'edit to a time that has come': {
    ask: (id) => api.patch(`/v1/jobs/${id}`, { runAt: longAgo }),
    after: { scheduled: 'available', held: 'held', available: 'available', retryable: 'available' },
  },
  move: {
    ask: (id) => api.patch(`/v1/jobs/${id}`, { queue: 'critical' }),
    after: { scheduled: 'scheduled', held: 'held', available: 'available', retryable: 'retryable' },
  },
  delete: {
    ask: (id) => api.delete(`/v1/jobs/${id}`),
    after: Object.fromEntries(
      jobStates.filter((state) => state !== 'running').map((state) => [state, state]),
    ),
  },
};

/** A limit whose only place is taken, so that a job which is held by it stays so. */
async function fillLimit(): Promise<void> {
  await api.put('/v1/limits/full', { concurrency: 1 });
  const job = { type: 'process-order', args: { orderId: '1' }, limits: ['full'] };
  const { id } = (await api.post('/v1/jobs', job)).body.job;
  await eventually(
    () => stored(id),
    (row) => row?.state === 'available',
  );
}

describe.each(Object.entries(acts))('%s', (name, { ask, after }) => {
  test.each(jobStates)('of a job that is %s', async (state) => {
    const id = await insert({ state, ...(state === 'held' ? { limits: ['full'] } : {}) });
    const before = await stored(id);
    const { status, body } = await ask(id);
    if (after[state] === undefined) {
      expect({ status, code: body.code }).toEqual({ status: 409, code: 'state_forbids' });
      expect(await stored(id)).toEqual(before); // nothing of it was done
      return;
    }
    expect(status).toBe(200);
    expect(body.job).toMatchObject({ id, state: after[state] });
    const row = await stored(id);
    if (name === 'delete') expect(row).toBeUndefined();
    else expect(row).toMatchObject({ state: after[state] });
  });
});

test('a job that is not there is 404 for every act', async () => {
  for (const { ask } of Object.values(acts)) {
    expect((await ask('999999999')).status).toBe(404);
    expect((await ask('no-id')).status).toBe(404);
  }
});

test('an edit makes all of its changes or none, and says which one is wrong', async () => {
  const id = await insert({ state: 'available' });
  const before = await stored(id);
  const refused = async (changes: object) => (await api.patch(`/v1/jobs/${id}`, changes)).body;
  expect(await refused({ priority: 3, queue: 'nowhere' })).toMatchObject({
    status: 422,
    code: 'unknown_queue',
  });
  expect(await refused({ priority: 3, args: { orderId: 'x' } })).toMatchObject({
    status: 422,
    code: 'invalid_args',
    errors: [{ pointer: '/args/orderId' }],
  });
  expect(await refused({ priority: 3, runAt: 'tomorrow' })).toMatchObject({ status: 422 });
  expect(await refused({ priority: 3, state: 'completed' })).toMatchObject({ status: 422 });
  expect(await refused({ priority: 3, maxAttempts: 1 })).toMatchObject({
    status: 409,
    detail: expect.stringMatching(/has made 1 attempts: give it more/),
  });
  expect(await stored(id)).toEqual(before);
  const runAt = inTwoHours();
  const changes = { priority: 3, maxAttempts: 9, runAt, queue: 'critical', args: { orderId: '18' } };
  const { body } = await api.patch(`/v1/jobs/${id}`, changes);
  expect(body.job).toMatchObject({ ...changes, state: 'scheduled' });
});

test('while a crash of Postgres may have undone claims, a job is not moved, postponed or given other arguments, and may be later', async () => {
  const id = await insert({ state: 'available' });
  const before = await stored(id);
  const edits = [{ queue: 'critical' }, { runAt: inTwoHours() }, { args: { orderId: '18' } }];
  await sql`delete from warren.claims_open`;
  for (const changes of edits)
    expect((await api.patch(`/v1/jobs/${id}`, changes)).body).toMatchObject({
      status: 503,
      code: 'job_busy',
    });
  expect(await stored(id)).toEqual(before);
  expect((await api.patch(`/v1/jobs/${id}`, { priority: 3 })).body.job).toMatchObject({ priority: 3 });
  await sql`insert into warren.claims_open (one) values (true)`;
  for (const changes of edits)
    expect((await api.patch(`/v1/jobs/${id}`, changes)).body.job).toMatchObject(changes);
});

test('where an act cannot be done to some of the chosen jobs, the page tells which and why, and it is done to the others', async () => {
  const [ended, waiting] = [await insert({ state: 'cancelled' }), await insert({ state: 'available' })];
  const fields = { action: 'cancel', scope: 'chosen', filter: '' };
  const body = new URLSearchParams(fields);
  for (const id of [ended, waiting, '999999999']) body.append('id', id);
  const response = await fetch(`${api.url}/dashboard/jobs/bulk`, { method: 'POST', body });
  const page = await response.text();
  expect(response.status).toBe(200);
  expect(page).toContain('1 of 3 cancelled');
  expect(page).toMatch(
    new RegExp(`>${ended}</a></td>\\s*<td>job ${ended} is cancelled and cannot be cancelled<`),
  );
  expect(page).toMatch(/>999999999<\/a><\/td>\s*<td>there is no such job</);
  expect(page).not.toContain(`>${waiting}</a>`);
  expect(await stored(waiting)).toMatchObject({ state: 'cancelled' });
});

test('a job that is moved or run is published anew, and its old message is worth nothing', async () => {
  const moved = await insert({ state: 'available' });
  await api.patch(`/v1/jobs/${moved}`, { queue: 'critical' });
  expect(await stored(moved)).toMatchObject({ queue: 'critical', fence: 1, isPublished: false });
  await api.patch(`/v1/jobs/${moved}`, { queue: 'critical' }); // where it is already
  expect(await stored(moved)).toMatchObject({ fence: 1 });
  const run = await insert({ state: 'scheduled' });
  await api.post(`/v1/jobs/${run}/run`);
  expect(await stored(run)).toMatchObject({
    state: 'available',
    fence: 1,
    isPublished: false,
    isLater: false,
  });
  const edited = await insert({ state: 'available' });
  await api.patch(`/v1/jobs/${edited}`, { args: { orderId: '18' }, priority: 2 });
  expect(await stored(edited)).toMatchObject({ fence: 0, isPublished: true }); // its message stays good
});

test('a job that is moved leaves its places at the gates of its old queue, and waits at those of the new one', async () => {
  const [first, second] = [
    await insert({ state: 'retryable', orderingKey: 'k' }),
    await insert({ state: 'held', orderingKey: 'k' }),
  ];
  await sql`insert into warren.passes (gate, job_id, since, fence) values ('order:default:k', ${first}, now(), 0)`;
  await api.patch(`/v1/jobs/${first}`, { queue: 'critical' });
  expect(await passesOf(first)).toEqual([]);
  await api.patch(`/v1/jobs/${second}`, { queue: 'critical' });
  expect(await stored(second)).toMatchObject({ held_for: 'order:critical:k' });
});

test('a job that is put off before it has started lets the others of its order go on; one that has started keeps it', async () => {
  for (const hasStarted of [false, true]) {
    const id = await insert({ state: 'available', orderingKey: `later ${hasStarted}` });
    await sql`update warren.jobs set started_at = ${hasStarted ? new Date() : null} where id = ${id}`;
    await sql`insert into warren.passes (gate, job_id, since, fence) values (${`order:default:later ${hasStarted}`}, ${id}, now(), 0)`;
    await api.patch(`/v1/jobs/${id}`, { runAt: inTwoHours() });
    expect(await passesOf(id)).toHaveLength(hasStarted ? 1 : 0);
  }
});

test('a job that is deleted leaves nothing behind: no place, and no key that it held', async () => {
  const id = await insert({ state: 'available', orderingKey: 'd', limits: ['stripe'] });
  await sql`insert into warren.passes (gate, job_id, since, fence) select unnest(array['order:default:d', 'limit:stripe']), ${id}, now(), 0`;
  await sql`update warren.jobs set period_key = 'p' where id = ${id}`;
  await sql`insert into warren.unique_periods (type, key, job_id, until) values ('process-order', 'p', ${id}, now() + interval '1 h')`;
  expect((await api.delete(`/v1/jobs/${id}`)).status).toBe(200);
  expect(await passesOf(id)).toEqual([]);
  const held = await sql`select from warren.unique_periods where job_id = ${id}`;
  expect(held).toHaveLength(0);
});

test('where a job gets another time, its time over all attempts moves along until it has started', async () => {
  const deadlineAt = new Date(Date.now() + 10 * 3_600_000).toISOString();
  const id = await insert({ state: 'scheduled', deadlineAt });
  await api.patch(`/v1/jobs/${id}`, { runAt: inTwoHours() });
  const [row] =
    await sql`select extract(epoch from deadline_at - run_at)::float8 / 3600 as hours from warren.jobs where id = ${id}`;
  expect(row?.['hours']).toBeCloseTo(9, 1); // as it was an hour before
});

test('each act is told of once, with the state after it', async () => {
  const told: unknown[] = [];
  const ended = events.subscribe('job.acted', (message) => told.push(message));
  const id = await insert({ state: 'scheduled' });
  const job = { jobId: id, type: 'process-order', queue: 'default' };
  await api.post(`/v1/jobs/${id}/run`);
  await api.post(`/v1/jobs/${id}/run`); // refused
  await api.patch(`/v1/jobs/${id}`, { priority: 1 });
  await api.post(`/v1/jobs/${id}/cancel`);
  await api.post(`/v1/jobs/${id}/retry`);
  await api.delete(`/v1/jobs/${id}`);
  ended();
  expect(told).toEqual([
    { ...job, act: 'run', state: 'available' },
    { ...job, act: 'edit', state: 'available' },
    { ...job, act: 'cancel', state: 'cancelled' },
    { ...job, act: 'retry', state: 'available' },
    { ...job, act: 'delete', state: 'available' },
  ]);
});

async function passesOf(id: string): Promise<unknown[]> {
  return [...(await sql`select gate from warren.passes where job_id = ${id}`)];
}
