// What the programs tell of the servers behind them, on real ones.
import { expect, test } from 'vitest';
import { createMetrics } from '../../src/shared/observe/metrics/metrics.ts';
import { countJobs } from '../../src/shared/postgres/statements/counts.ts';
import { countUnpublished } from '../../src/shared/postgres/statements/read.ts';
import { workerGauges } from '../../src/worker/worker-gauges.ts';
import { startApi } from '../support/api.ts';
import { publishRaw } from '../support/broker.ts';
import { listen } from '../support/events.ts';
import { eventually } from '../support/eventually.ts';
import { startFleet, testJob } from '../support/fleet.ts';

/** Looks again until all samples are there: each is read at a time of its own. */
async function untilShown(render: () => Promise<string>, samples: readonly string[]): Promise<string> {
  let text = '';
  await eventually(
    async () => {
      text = await render();
      return samples.filter((sample) => !text.includes(`\n${sample}\n`));
    },
    (missing) => missing.length === 0,
    { everyMs: 500 },
  );
  return text;
}

test('the API tells of live jobs by state, of the queues in RabbitMQ and of its requests by route', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.enqueue({}, { delayMs: 3_600_000 });
  await fleet.enqueue();
  await fleet.enqueue();
  await fleet.sql(
    (sql) => sql`
      insert into warren.jobs (type, queue, state, max_attempts, args, finished_at)
      values ('test-job', 'default', 'completed', 1, '{}', now()), ('test-job', 'nobodys', 'available', 1, '{}', null),
        ('test-job', 'nobodys', 'scheduled', 1, '{}', null)`,
  );
  await publishRaw(fleet.vhost, 'reports', 'x');
  await using api = await startApi({ databaseUrl: fleet.testDatabase.url, amqpUrl: fleet.vhost.url });
  await api.get('/v1/jobs/7');
  await api.get('/v1/made/up');
  const samples = [
    'warren_queue_messages_ready{queue="reports"} 1',
    'warren_jobs{queue="default",state="available"} 2',
    'warren_jobs{queue="default",state="scheduled"} 1',
    'warren_jobs{queue="reports",state="running"} 0',
    'warren_jobs{queue="unknown",state="scheduled"} 1',
    'warren_queue_messages_ready{queue="dead"} 0',
    'warren_queue_consumers{queue="default"} 0',
    'warren_broker_connected 1',
    'warren_postgres_statements_waiting 0',
    'http_server_request_duration_seconds_count{method="GET",route="/v1/jobs/:id",status="404"} 1',
    'http_server_request_duration_seconds_count{method="GET",route="none",status="404"} 1',
  ];
  const text = await untilShown(async () => String((await api.get('/metrics')).body), samples);
  expect(text).not.toContain('state="completed"} 1');
});

test('a job counts as unpublished when the relay is seconds behind with it, not in the moments before its mark', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.sql(
    (sql) => sql`
      insert into warren.jobs (type, queue, state, max_attempts, args, run_at, published_at, relay_at)
      values ('test-job', 'default', 'available', 1, '{}', now() - interval '1 hour', null, now() - interval '10 s'),
        ('test-job', 'default', 'available', 1, '{}', now() - interval '1 hour', null, now() - interval '1 s'),
        ('test-job', 'default', 'available', 1, '{}', now(), null, now() + interval '2 s'),
        ('test-job', 'default', 'available', 1, '{}', now(), now(), now() - interval '10 s')`,
  );
  expect(await fleet.database.query(countUnpublished)).toBe(1);
});

test('a job counts as unpublished, too, while the relay tries in vain to publish it', async () => {
  const ending = Promise.withResolvers<void>();
  await using fleet = await startFleet(testJob(() => ending.promise));
  await fleet.startWorker({ WORKER_QUEUES: 'default:1:1' });
  const { management, name } = fleet.vhost;
  const definition = { 'max-length': 1, overflow: 'reject-publish' };
  await management.request('PUT', `/policies/${name}/full`, { pattern: '.*', definition, 'apply-to': 'all' });
  const count = async () => await fleet.database.query(countUnpublished);
  try {
    await eventually(
      async () => {
        await fleet.enqueue(); // the policy takes a moment
        return await count();
      },
      (unpublished) => unpublished > 0,
    );
  } finally {
    ending.resolve();
  }
});

test('a job that waited at a gate, or whose message is spent, does not count as unpublished before its time', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.sql(
    (sql) => sql`
      insert into warren.jobs (type, queue, state, max_attempts, args, run_at, created_at, published_at, relay_at, fence, limits, group_key)
      select 'test-job', 'default', 'available', 1, '{}', now() - interval '1 hour', now() - interval '1 hour', null, now() + interval '2 s', fence, limits, "group"
      from (values (0, null::text[], null), (1, null, null), (0, array['slow'], null), (0, null, 'some')) as rows (fence, limits, "group")`,
  );
  expect(await fleet.database.query(countUnpublished)).toBe(1);
});

test('a worker tells of its lane, its presence and its consumers, and of the fleet as its leader', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  const worker = await fleet.startWorker({ WORKER_QUEUES: 'default:2:10' });
  const metrics = createMetrics({
    events: fleet.events,
    types: ['test-job'],
    queues: ['default'],
    gauges: workerGauges(worker, ['default']),
  });
  await untilShown(
    () => metrics.render(),
    [
      'warren_worker_leader 1',
      'warren_worker_lane{lane="rabbitmq"} 1',
      'warren_worker_lane{lane="postgres"} 0',
      'warren_worker_present 1',
      'warren_worker_consumers{state="registered"} 2',
      'warren_worker_consumers{state="missing"} 0',
      'warren_queue_consumers{queue="default"} 2',
    ],
  );
  metrics.stop();
});

test('counting the jobs reads none of them', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  await fleet.sql(async (sql) => {
    await sql`
      insert into warren.jobs (type, queue, state, max_attempts, args, finished_at)
      select 'test-job', 'default', 'completed', 1, '{}', now() from generate_series(1, 20000)`;
    await sql`analyze warren.jobs`;
    const read = async () => {
      await sql`select pg_stat_force_next_flush()`.catch(() => {});
      const [row] = await sql`select pg_stat_get_tuples_returned('warren.jobs'::regclass) as n`;
      return Number(row?.['n']);
    };
    const before = await read();
    expect(await countJobs(sql)).toEqual([{ queue: 'default', state: 'completed', count: 20_000 }]);
    expect((await read()) - before).toBe(0);
  });
});

test('a statement that finds no free connection in time is told of', async () => {
  await using fleet = await startFleet(testJob(async () => {}));
  using exhausted = listen(fleet.events, 'pool.exhausted');
  const slow = Array.from({ length: 5 }, () =>
    fleet.database.query(async (sql) => await sql`select pg_sleep(1)`),
  );
  await expect(fleet.database.query(async (sql) => await sql`select 1`, 100)).rejects.toMatchObject({
    code: 'postgres_busy',
  });
  await exhausted.count(1);
  await Promise.all(slow);
});
