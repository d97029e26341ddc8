// Acts on many jobs: counted, done once each, stopped, gone on with after a kill.
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunningApi } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import type { Program } from '../support/program.ts';
import { startProgram } from '../support/program.ts';
import type { TestDatabase, TestVhost } from '../support/servers.ts';
import { asRole, asUser, createDatabase, createVhost } from '../support/servers.ts';

const stack = new AsyncDisposableStack();
let database: TestDatabase;
let vhost: TestVhost;
let api: RunningApi;
let sql: postgres.Sql;
let worker: Program;

beforeAll(async () => {
  database = stack.use(await createDatabase());
  vhost = stack.use(await createVhost());
  sql = postgres(database.url, { max: 3, onnotice: () => {} });
  stack.defer(() => sql.end());
  api = stack.use(await startApi({ databaseUrl: database.url, amqpUrl: vhost.url }));
  worker = await startWorker();
});
afterAll(async () => {
  await worker[Symbol.asyncDispose]();
  await stack.disposeAsync();
});

/** Serves the queue of the acts, and not that of the jobs which they are done to. */
async function startWorker(): Promise<Program> {
  return await startProgram('worker', {
    DATABASE_URL: asRole(database.url, 'worker'),
    AMQP_URL: asUser(vhost.url, 'worker'),
    WORKER_QUEUES: 'default:1:5',
    WORKER_HEALTH_PORT: '0',
  });
}

interface Rows {
  tag: string;
  states: readonly string[];
  count?: number;
  uniqueKey?: string;
}

/** So many jobs in each of the states, in a queue that nobody serves. */
async function insert({ tag, states, count = 1, uniqueKey }: Rows): Promise<void> {
  await sql`
    insert into warren.jobs (type, queue, args, state, max_attempts, attempt, run_at, finished_at, owner, tags, unique_key)
    select 'process-order', 'reports', '{"orderId": "17"}', state, 3, 1, now() + interval '1 h',
      case when state in ('completed', 'cancelled', 'discarded') then now() end, case when state = 'running' then 0 end,
      array[${tag}::text], ${uniqueKey ?? null}::text
    from unnest(${[...states]}::text[]) as state, generate_series(1, ${count}::int)`;
}

interface Output {
  done: number;
}

async function output(id: string): Promise<{ state: string; output: Output | null }> {
  return (await api.get(`/v1/jobs/${id}`)).body.job;
}

async function start(request: object): Promise<string> {
  const { status, headers, body } = await api.post('/v1/jobs/bulk', request);
  expect(status).toBe(202);
  expect(headers.get('location')).toBe(`/v1/jobs/${body.job.id}`);
  return body.job.id;
}

async function untilEnded(id: string) {
  return await eventually(
    () => output(id),
    ({ state }) => ['completed', 'cancelled', 'discarded'].includes(state),
  );
}

const states = ['scheduled', 'available', 'retryable', 'completed', 'cancelled', 'discarded'];
const inTwoHours = new Date(Date.now() + 7_200_000).toISOString();

test.each([
  { action: 'retry', acts: 3, after: { available: 4, scheduled: 1, completed: 1 } },
  { action: 'cancel', acts: 3, after: { cancelled: 4, completed: 1, discarded: 1 } },
  { action: 'delete', acts: 6, after: {} },
  {
    action: 'run',
    acts: 2,
    after: { available: 3, completed: 1, cancelled: 1, discarded: 1 },
  },
  {
    action: 'edit',
    set: { runAt: inTwoHours, queue: 'critical' },
    acts: 3,
    after: { scheduled: 3, completed: 1, cancelled: 1, discarded: 1 },
  },
])('$action is counted, and done to all that match and allow it', async ({ action, set, acts, after }) => {
  await insert({ tag: action, states });
  await insert({ tag: `not ${action}`, states: ['scheduled', 'discarded'] });
  const request = { action, filter: { tag: action }, set };
  const { status, body } = await api.post('/v1/jobs/bulk', { ...request, dryRun: true });
  expect({ status, body }).toEqual({ status: 200, body: { count: acts } });
  expect(await untilEnded(await start(request))).toMatchObject({
    state: 'completed',
    output: { done: acts },
  });
  const rows = await sql<{ state: string; count: number }[]>`
    select state, count(*)::int as count from warren.jobs where tags @> array[${action}::text] group by state`;
  expect(Object.fromEntries(rows.map(({ state, count }) => [state, count]))).toEqual(after);
});

test('arguments are set for all jobs of one type, by its schema, where they decide no place', async () => {
  await insert({ tag: 'args', states: ['scheduled', 'available', 'discarded'] });
  const filter = { tag: 'args', type: 'process-order' };
  const edit = async (set: object, where: object = filter) =>
    await api.post('/v1/jobs/bulk', { action: 'edit', filter: where, set });
  expect(await edit({ args: {} })).toMatchObject({
    status: 422,
    body: { code: 'invalid_args', errors: [{ pointer: '/set/args/orderId' }] },
  });
  const args = { orderId: '18' };
  const oneType = { status: 422, body: { code: 'one_type', errors: [{ pointer: '/filter/type' }] } };
  expect(await edit({ args }, { tag: 'args' })).toMatchObject(oneType);
  expect(await edit({ args }, { type: ['process-order', 'build-report'] })).toMatchObject(oneType);
  expect(await edit({ args }, { type: 'none' })).toMatchObject({ body: { code: 'unknown_type' } });
  expect(await edit({ args }, { type: 'act-on-jobs' })).toMatchObject({ body: { code: 'bulk_type' } });

  const { body } = await edit({ args, priority: 4 });
  expect(await untilEnded(body.job.id)).toMatchObject({ state: 'completed', output: { done: 2 } });
  expect((await api.get(`/v1/jobs/${body.job.id}`)).body.job.args.set).toEqual({
    priority: 4,
    argsJson: '[redacted]',
  });
  const rows = await sql`
    select state, args, args_bytes, priority from warren.jobs where tags @> '{args}' order by state`;
  const changed = { args, args_bytes: 17, priority: 4 };
  expect(rows).toMatchObject([
    { state: 'available', ...changed },
    { state: 'discarded', args: { orderId: '17' }, priority: 0 },
    { state: 'scheduled', ...changed },
  ]);
});

test('a filter without a member, a wrong one, and changes that do not fit the action are refused', async () => {
  const refused = async (request: object) => (await api.post('/v1/jobs/bulk', request)).status;
  expect(await refused({ action: 'delete', filter: {} })).toBe(422);
  expect(await refused({ action: 'delete', filter: { sate: 'completed' } })).toBe(422);
  expect(await refused({ action: 'delete', filter: { searched: {} } })).toBe(422);
  const args = { action: 'delete', filter: { searched: {} }, upToId: '1' };
  expect((await api.post('/v1/jobs', { type: 'act-on-jobs', args })).status).toBe(422);
  expect(await refused({ action: 'edit', filter: { queue: 'reports' } })).toBe(422);
  expect(await refused({ action: 'reencrypt', filter: { queue: 'reports' } })).toBe(422); // nothing is encrypted there
  expect(await refused({ action: 'run', filter: { queue: 'reports' }, set: { priority: 1 } })).toBe(422);
  expect(await refused({ action: 'edit', filter: { queue: 'reports' }, set: { queue: 'none' } })).toBe(422);
});

test('nobody gives the arguments of the job that does it: they say where a text is looked for', async () => {
  const args = { action: 'delete', filter: { q: 'secret' }, upToId: '1' };
  const job = { type: 'act-on-jobs', args };
  const id = await start({ action: 'cancel', filter: { tag: 'nothing' } });
  const schedule = { ...job, cron: '0 4 1 1 *', timezone: 'UTC' };
  const refusal = { status: 422, body: { code: 'bulk_type' } };
  expect(await api.post('/v1/jobs', job)).toMatchObject(refusal);
  expect(await api.post('/v1/jobs/batch', { jobs: [job] })).toMatchObject(refusal);
  expect(await api.put('/v1/schedules/nightly', schedule)).toMatchObject(refusal);
  await untilEnded(id);
  expect(await api.post(`/v1/jobs/${id}/retry`, { args })).toMatchObject(refusal);
});

test('where the unique key of one is held, it stays and the others are retried', async () => {
  await insert({ tag: 'unique', states: ['discarded'], count: 2, uniqueKey: 'the one' });
  await insert({ tag: 'unique', states: ['discarded'], count: 3 });
  const id = await start({ action: 'retry', filter: { tag: 'unique', state: 'discarded' } });
  expect(await untilEnded(id)).toMatchObject({ state: 'completed', output: { done: 4 } });
});

test('a job that somebody has locked is waited for, and the others are not', async () => {
  await insert({ tag: 'locked', states: ['completed'], count: 5 });
  await sql.begin(async (transaction) => {
    await transaction`select from warren.jobs where tags @> array['locked'] order by id limit 1 for update`;
    const id = await start({ action: 'delete', filter: { tag: 'locked' } });
    await eventually(
      () => output(id),
      (job) => job.output?.done === 4,
    );
  });
  await eventually(
    () => sql`select from warren.jobs where tags @> array['locked']`,
    (rows) => rows.length === 0,
  );
});

test('one that is cancelled stops, and says how many it has acted on', async () => {
  await insert({ tag: 'stopped', states: ['discarded'], count: 2_000 }); // more than a minute of it
  const id = await start({ action: 'retry', filter: { tag: 'stopped' }, perSecond: 25 });
  await eventually(
    () => output(id),
    (job) => (job.output?.done ?? 0) >= 10,
  );
  await api.post(`/v1/jobs/${id}/cancel`);
  const ended = await untilEnded(id);
  expect(ended.state).toBe('cancelled');
  const [row] = await sql`
    select count(*)::int as count from warren.jobs where tags @> array['stopped'] and state = 'available'`;
  expect(ended.output?.done).toBe(row?.['count']);
  expect(row?.['count']).toBeLessThan(2_000);
});

test('one whose worker is killed is gone on with by another, and nothing is done twice', async () => {
  await insert({ tag: 'killed', states: ['scheduled'], count: 100 });
  const request = { action: 'edit', filter: { tag: 'killed' }, set: { runAt: inTwoHours }, perSecond: 50 };
  const id = await start(request);
  await eventually(
    () => output(id),
    (job) => (job.output?.done ?? 0) >= 20,
  );
  process.kill(worker.pid, 'SIGKILL');
  await worker.exited;
  worker = await startWorker();
  expect(await untilEnded(id)).toMatchObject({ state: 'completed', output: { done: 100 } });
  const rows = await sql`select from warren.jobs where tags @> array['killed'] and fence = 1`; // each act raises it
  expect(rows).toHaveLength(100);
});
