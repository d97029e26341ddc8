import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { enqueueInTransaction } from '../../src/queue/enqueue-in-transaction.ts';
import type { Enqueued, EnqueueOptions, Unique } from '../../src/shared/job/job.ts';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleet, testJob } from '../support/fleet.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const gate = Promise.withResolvers<void>();
const plain = testJob(async ({ waits }) => {
  if (waits) await gate.promise;
});
const summing = testJob(async () => {}, {
  type: 'summing-job',
  merge: (old, given) => ({ sum: Number(old['sum']) + Number(given['sum']) }),
});
let fleet: Fleet;

beforeAll(async () => {
  fleet = await startFleet(plain, summing);
});

afterAll(async () => {
  gate.resolve();
  await fleet[Symbol.asyncDispose]();
});

const enqueue = (args: Record<string, unknown>, options: EnqueueOptions): Promise<Enqueued> =>
  fleet.enqueuer.enqueue({ definition: plain, args, ...options });
const unique = (members: Unique, options: EnqueueOptions = {}) => ({ unique: members, ...options });
const rows = async (key: string) =>
  await fleet.sql(
    (sql) => sql`select id from warren.jobs where ${key} in (unique_key, waiting_key, period_key)`,
  );

for (const scope of ['live', 'waiting', { ms: 600_000 }] as const) {
  const name = typeof scope === 'string' ? scope : 'period';
  for (const onConflict of ['keep', 'replace', 'postpone', 'merge'] as const) {
    test(`of 200 enqueues at once one makes the job: for ${name}, ${onConflict}`, async () => {
      const key = `race ${name} ${onConflict}`;
      const answers = await Promise.all(
        Array.from({ length: 200 }, (_, n) =>
          enqueue({ [`member${n}`]: n }, unique({ key, for: scope, onConflict }, { delayMs: 600_000 })),
        ),
      );
      expect(answers.filter(({ created }) => created)).toHaveLength(1);
      expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
      const told = { keep: 'kept', replace: 'replaced', postpone: 'postponed', merge: 'merged' }[onConflict];
      expect(answers.filter(({ conflict }) => conflict === told)).toHaveLength(199);
      expect(await rows(key)).toHaveLength(1);
      const job = await fleet.job(answers[0]?.job.id ?? '');
      expect(job.uniqueKey).toBe(key);
      expect(Object.keys(job.args as object)).toHaveLength(onConflict === 'merge' ? 200 : 1);
    });
  }
}

test('a merge by a function of the type loses none of 200 at once', async () => {
  const answers = await Promise.all(
    Array.from({ length: 200 }, () =>
      fleet.enqueuer.enqueue({
        definition: summing,
        args: { sum: 1 },
        delayMs: 600_000,
        unique: { key: 'sum', onConflict: 'merge' },
      }),
    ),
  );
  expect(answers.filter(({ created }) => created)).toHaveLength(1);
  expect(await fleet.job(answers[0]?.job.id ?? '')).toMatchObject({ args: { sum: 200 } });
});

test('replace gives the waiting job arguments and options, and leaves it its time', async () => {
  const first = await enqueue({ n: 1 }, unique({ key: 'replace' }, { delayMs: 600_000, tags: ['old'] }));
  const second = await enqueue(
    { n: 2 },
    unique({ key: 'replace', onConflict: 'replace' }, { priority: 3, maxAttempts: 9 }),
  );
  expect(second).toMatchObject({ created: false, conflict: 'replaced' });
  const job = await fleet.job(first.job.id);
  expect(job).toEqual({ ...second.job, progress: null, traceId: null });
  expect(job).toMatchObject({
    args: { n: 2 },
    priority: 3,
    maxAttempts: 9,
    tags: [],
    runAt: first.job.runAt,
  });
});

test('postpone moves a job that is available to the new time, and its message starts it no sooner', async () => {
  const first = await enqueue({ n: 1 }, unique({ key: 'debounce' }));
  expect(first.job.state).toBe('available');
  const moved = await enqueue(
    { n: 2 },
    unique({ key: 'debounce', onConflict: 'postpone' }, { delayMs: 600_000 }),
  );
  expect(moved).toMatchObject({
    conflict: 'postponed',
    job: { id: first.job.id, state: 'scheduled', args: { n: 2 } },
  });
  const worker = await fleet.startWorker();
  const other = await enqueue({}, {});
  await fleet.until(other.job.id, 'completed');
  expect((await fleet.job(first.job.id)).state).toBe('scheduled');
  const now = await enqueue({ n: 3 }, unique({ key: 'debounce', onConflict: 'postpone' }));
  expect(now.conflict).toBe('postponed');
  expect(await fleet.until(first.job.id, 'completed')).toMatchObject({ args: { n: 3 }, attempt: 1 });
  await fleet.stopWorker(worker);
});

test('a running job is kept: live keeps the key, waiting has given it up, a period outlasts the end', async () => {
  const worker = await fleet.startWorker();
  const live = await enqueue({ waits: true }, unique({ key: 'runs' }));
  const waiting = await enqueue({ waits: true }, unique({ key: 'runs', for: 'waiting' }));
  const period = await enqueue({}, unique({ key: 'runs', for: { ms: 600_000 } }));
  await fleet.until(live.job.id, 'running');
  await fleet.until(waiting.job.id, 'running');
  await fleet.until(period.job.id, 'completed');
  const again = async (scope: Unique['for']) =>
    await enqueue({ n: 2 }, unique({ key: 'runs', for: scope, onConflict: 'replace' }, { delayMs: 600_000 }));
  expect(await again('live')).toMatchObject({
    conflict: 'kept',
    job: { id: live.job.id, args: { waits: true } },
  });
  expect(await again('waiting')).toMatchObject({ created: true });
  expect(await again({ ms: 600_000 })).toMatchObject({ conflict: 'kept', job: { id: period.job.id } });
  gate.resolve();
  await fleet.until(live.job.id, 'completed');
  expect(await again('live')).toMatchObject({ created: true });
  await fleet.sql((sql) => sql`update warren.unique_periods set until = now() where key = 'runs'`);
  expect(await again({ ms: 600_000 })).toMatchObject({ created: true });
  await fleet.stopWorker(worker);
});

test('a job that failed does not stand in the way of the one that waits with its key', async () => {
  const worker = await fleet.startWorker();
  const failing = await enqueue({}, unique({ key: 'fails', for: 'waiting' }));
  await fleet.until(failing.job.id);
  const next = await enqueue({}, unique({ key: 'fails', for: 'waiting' }, { delayMs: 600_000 }));
  expect(next.created).toBe(true);
  await fleet.sql(
    (sql) => sql`update warren.jobs set state = 'retryable' where id = ${failing.job.id}::text::bigint`,
  );
  expect((await fleet.job(next.job.id)).state).toBe('scheduled');
  await fleet.stopWorker(worker);
});

test('the key of a client that is killed before its commit goes to exactly one of those that wait', async () => {
  for (const scope of ['live', 'waiting', { ms: 600_000 }] as const) {
    const key = `killed ${JSON.stringify(scope)}`;
    const victim = postgres(fleet.testDatabase.url, { max: 1, onnotice: () => {} });
    const transaction = await victim.reserve();
    const [{ pid } = { pid: 0 }] = await transaction<{ pid: number }[]>`select pg_backend_pid() as pid`;
    await transaction`begin`;
    await enqueueInTransaction(transaction, [{ definition: plain, args: {}, unique: { key, for: scope } }]);
    const others = Array.from({ length: 20 }, () =>
      enqueue({}, unique({ key, for: scope }, { delayMs: 600_000 })),
    );
    await eventually(
      () =>
        fleet.sql(
          (sql) =>
            sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
        ),
      (waiting) => waiting.length > 0,
    );
    await fleet.sql((sql) => sql`select pg_terminate_backend(${pid})`);
    const answers = await Promise.all(others);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect(await rows(key)).toHaveLength(1);
    await victim.end({ timeout: 0 });
  }
});

test('within a transaction the holder is changed with it, or stays as it was', async () => {
  const { job } = await enqueue({ n: 1 }, unique({ key: 'transaction' }, { delayMs: 600_000 }));
  const request = {
    definition: plain,
    args: { n: 2 },
    unique: { key: 'transaction', onConflict: 'merge' as const },
  };
  await expect(
    fleet.sql((sql) =>
      sql.begin(async (tx) => {
        const [enqueued] = await enqueueInTransaction(tx, [request]);
        expect(enqueued).toMatchObject({ conflict: 'merged', job: { id: job.id, args: { n: 2 } } });
        throw new Error('rolled back');
      }),
    ),
  ).rejects.toThrow('rolled back');
  expect((await fleet.job(job.id)).args).toEqual({ n: 1 });
});

test("a caller's tag, which takes values by their place, changes the holder too", async () => {
  const key = 'by a tag';
  const { job } = await enqueue({ n: 1 }, unique({ key }, { delayMs: 600_000 }));
  for (const onConflict of ['replace', 'postpone', 'merge'] as const) {
    const request = { definition: plain, args: { by: onConflict }, unique: { key, onConflict } };
    await fleet.sql((sql) =>
      sql.begin(async (tx) => {
        const tag = (strings: TemplateStringsArray, ...values: unknown[]) =>
          tx(strings, ...(values as string[]));
        const [enqueued] = await enqueueInTransaction(tag, [{ ...request, delayMs: 600_000 }]);
        expect(enqueued?.job).toMatchObject({ id: job.id, args: { by: onConflict } });
      }),
    );
  }
});

test('arguments that would be too large merged are refused, and the holder stays as it was', async () => {
  const members = { key: 'too large', onConflict: 'merge' as const };
  const half = 'x'.repeat(600_000);
  const { job } = await enqueue({ first: half }, unique(members, { delayMs: 600_000 }));
  const merge = () => enqueue({ second: half }, unique(members));
  await expect(merge()).rejects.toMatchObject({ name: 'InvalidInput', code: 'merged_too_large' });
  await fleet.sql((sql) => sql`update warren.jobs set state = 'running' where id = ${job.id}`);
  expect((await merge()).conflict).toBe('kept');
  expect((await fleet.job(job.id)).args).toEqual({ first: half });
  await fleet.sql((sql) => sql`delete from warren.jobs where id = ${job.id}`);
});

test('while a crash may have undone a claim no job is changed', async () => {
  const { job } = await enqueue({ n: 1 }, unique({ key: 'undone' }, { delayMs: 600_000 }));
  await fleet.sql((sql) => sql`truncate warren.claims_open`);
  const again = () => enqueue({ n: 2 }, unique({ key: 'undone', onConflict: 'replace' }));
  await expect(again()).rejects.toMatchObject({ name: 'Unavailable', code: 'unique_key_busy' });
  expect((await fleet.job(job.id)).args).toEqual({ n: 1 });
  await fleet.sql((sql) => sql`insert into warren.claims_open default values`);
  expect((await again()).conflict).toBe('replaced');
});

test('over HTTP the answer tells who won', async () => {
  await using stack = new AsyncDisposableStack();
  const database = stack.use(await createDatabase());
  const vhost = stack.use(await createVhost());
  const api = stack.use(await startApi({ databaseUrl: database.url, amqpUrl: vhost.url }));
  const post = (orderId: string, members: object) =>
    api.post('/v1/jobs', { type: 'process-order', args: { orderId }, ...members });
  const first = await post('1', { unique: { key: 'a', for: 'waiting' } });
  expect(first.status).toBe(202);
  const { id } = first.body.job;
  const second = await post('2', { unique: { key: 'a', for: 'waiting', onConflict: 'replace' } });
  expect(second).toMatchObject({
    status: 200,
    body: { created: false, conflict: 'replaced', job: { id, args: { orderId: '2' } } },
  });
  const third = await post('3', { unique: { key: 'a', for: 'waiting' } });
  expect(third).toMatchObject({
    status: 200,
    body: { conflict: 'kept', job: { id, args: { orderId: '2' } } },
  });
});
