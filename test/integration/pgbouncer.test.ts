// The core of the fleet through a real PgBouncer in transaction mode: only the presence of a worker goes past it.
import { once } from 'node:events';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Misconfigured } from '../../src/shared/base/errors.ts';
import type { JobDefinition } from '../../src/shared/job/job.ts';
import { Events } from '../../src/shared/observe/events.ts';
import { Database } from '../../src/shared/postgres/database.ts';
import { enterDatabase } from '../../src/shared/postgres/enter-database.ts';
import { cancelJob } from '../../src/shared/postgres/statements/control.ts';
import { pauseQueue, resumeQueue } from '../../src/shared/postgres/statements/queues.ts';
import { Warren } from '../../src/warren.ts';
import { startApi } from '../support/api.ts';
import { eventually } from '../support/eventually.ts';
import type { Fleet } from '../support/fleet.ts';
import { startFleetThrough, testJob } from '../support/fleet.ts';
import type { Pgbouncer } from '../support/pgbouncer.ts';
import { providePgbouncer, startPgbouncer } from '../support/pgbouncer.ts';
import { startFile } from '../support/program.ts';
import { asRole, createDatabase } from '../support/servers.ts';
import { testApp } from '../support/test-app.ts';

const isThere = await providePgbouncer();

describe.skipIf(!isThere)('through PgBouncer in transaction mode', () => {
  let pooler: Pgbouncer;
  beforeAll(async () => {
    pooler = await startPgbouncer();
  });
  afterAll(async () => {
    await pooler[Symbol.asyncDispose]();
  });

  /** The connections that lead to Postgres past the pooler, by their names. */
  const direct = async (fleet: Fleet) => {
    const rows = await fleet.sql(
      (sql) => sql<{ name: string }[]>`
        select application_name as name from pg_stat_activity
        where datname = current_database() and application_name like '% presence'`,
    );
    return rows.map(({ name }) => name);
  };

  test('jobs are enqueued over HTTP, worked off, retried and scheduled', async () => {
    await using fleet = await startFleetThrough(
      pooler,
      testJob(async ({ fails }, { attempt }) => {
        if (fails === true && attempt === 1) throw new Error('the first time');
        return 'done';
      }),
    );
    await fleet.startWorker();
    await using api = await startApi({
      databaseUrl: pooler.through(fleet.testDatabase.url),
      amqpUrl: fleet.vhost.url,
      environment: { DATABASE_DIRECT_URL: asRole(fleet.testDatabase.url, 'api') },
    });
    const ids = await Promise.all(Array.from({ length: 200 }, () => fleet.enqueue()));
    ids.push(await fleet.enqueue({ fails: true }), await fleet.enqueue({}, { delayMs: 300 }));
    for (const id of ids) expect(await fleet.until(id)).toMatchObject({ state: 'completed', output: 'done' });
    const order = { type: 'process-order', args: { orderId: '1' } };
    const { status, body } = await api.post('/v1/jobs', order, { 'idempotency-key': 'once' });
    expect(status).toBe(202);
    expect((await api.get(`/v1/jobs/${body.job.id}`)).status).toBe(200);
    expect((await api.get('/v1/queues')).status).toBe(200);
    expect(await direct(fleet)).toEqual(['warren-worker@test:1 presence']);
  });

  test('the library migrates, enqueues and works, once told where Postgres itself is', async () => {
    await using database = await createDatabase({ migrated: false });
    const app = testApp([testJob(async () => 'done') as JobDefinition]);
    await using warren = new Warren({
      app,
      databaseUrl: pooler.through(database.url),
      amqpUrl: 'none',
      settings: { DATABASE_DIRECT_URL: database.url },
    });
    expect((await warren.migrate()).applied).not.toEqual([]);
    const direct = postgres(database.url, { max: 1 });
    await direct.unsafe(
      `alter role current_user in database "${database.name}" set search_path = pg_catalog`,
    );
    await direct.end();
    await warren.start();
    await warren.startWorker();
    const { job } = await warren.enqueue(app.definitions.get('test-job') as JobDefinition, {});
    expect(await warren.jobs.wait(job.id)).toMatchObject({ state: 'completed', output: 'done' });
  });

  test('a running job is cancelled at once, and a paused queue rests', async () => {
    const started = Promise.withResolvers<void>();
    await using fleet = await startFleetThrough(
      pooler,
      testJob(async ({ waits }, { signal }) => {
        if (waits !== true) return;
        started.resolve();
        await once(signal, 'abort');
        signal.throwIfAborted();
      }),
    );
    await fleet.startWorker();
    const id = await fleet.enqueue({ waits: true });
    await started.promise;
    expect(await fleet.database.query((sql) => cancelJob(sql, id))).toBe('running');
    expect(await fleet.until(id)).toMatchObject({ state: 'cancelled', attempt: 1 });
    await fleet.database.query((sql) => pauseQueue(sql, 'default'));
    const resting = await fleet.enqueue();
    await fleet.until(await fleet.enqueue({}, { queue: 'critical' }), 'completed');
    expect(await fleet.job(resting)).toMatchObject({ state: 'available' });
    await fleet.database.query((sql) => resumeQueue(sql, 'default'));
    await fleet.until(resting, 'completed');
  });

  test('the jobs of a worker that is killed are taken over by another', async () => {
    await using fleet = await startFleetThrough(
      pooler,
      testJob(async () => 'elsewhere'),
    );
    await using killed = await startFile('test/support/crash-worker.ts', {
      ...fleet.environment('worker'),
      WORKER_QUEUES: 'default:1:10',
    });
    await killed.waitForLog('ready');
    const ids = await Promise.all([fleet.enqueue(), fleet.enqueue(), fleet.enqueue()]);
    for (const id of ids) await killed.waitForLog(({ jobId, msg }) => msg === 'started' && jobId === id);
    await fleet.startWorker();
    killed.signal('SIGKILL');
    for (const id of ids)
      expect(await fleet.until(id)).toMatchObject({ state: 'completed', output: 'elsewhere' });
    await eventually(
      () => direct(fleet),
      (names) => names.length === 1,
    );
  });

  test('a program refuses to start while the search path of its role is not set', async () => {
    await using testDatabase = await createDatabase();
    const url = pooler.through(asRole(testDatabase.url, 'worker'));
    const events = new Events();
    const database = new Database({ url, isPooled: true, name: 'test', min: 0, max: 1, events });
    try {
      const waiting = enterDatabase({
        database,
        app: testApp(),
        events,
        stopping: new AbortController().signal,
      });
      await expect(waiting).rejects.toThrow(Misconfigured);
    } finally {
      await database.stop();
    }
  });
});
