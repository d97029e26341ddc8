// `warren doctor` on real servers: nothing on a healthy fleet, and each fault that was planted.
import { connect } from 'amqplib';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { addDoctor } from '../../src/cli/doctor.ts';
import type { Finding } from '../../src/queue/doctor/check.ts';
import { allChecks } from '../../src/queue/doctor/doctor.ts';
import { ADVISORY_CLASS } from '../../src/shared/postgres/statements/parts.ts';
import { Warren } from '../../src/warren.ts';
import { runWarren } from '../support/command-line.ts';
import { eventually } from '../support/eventually.ts';
import { startMuteBroker } from '../support/mute-broker.ts';
import type { TestDatabase, TestVhost } from '../support/servers.ts';
import { asRole, createDatabase, createVhost } from '../support/servers.ts';
import { app } from '../support/shop.ts';

/** They look at the whole server, which all tests share. */
const OF_SERVER = ['connections-short', 'slot-idle', 'broker-alarm', 'server-unsafe', 'wraparound-near'];

async function doctor(environment: Record<string, string>, ...options: string[]) {
  const { code, out } = await runWarren(['doctor', '--json', ...options], environment, { add: addDoctor });
  const { findings, mended } = JSON.parse(out) as { findings: Finding[]; mended: string[] };
  const own = findings.filter((finding) => !OF_SERVER.includes(finding.code));
  return { code, mended, findings: own, codes: own.map((finding) => finding.code) };
}

const environmentOf = (database: TestDatabase, vhost: TestVhost) => ({
  DATABASE_URL: database.url,
  AMQP_URL: vhost.url,
  RABBITMQ_MANAGEMENT_URL: inject('managementUrl'),
});

test('where no DATABASE_URL is set it says that, and asks no other Postgres', async () => {
  expect((await doctor({ AMQP_URL: 'none' })).codes).toEqual(['settings-wrong']);
});

test('on a healthy fleet it finds nothing, and says so', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  await using warren = new Warren({
    app,
    databaseUrl: asRole(database.url, 'worker'),
    amqpUrl: vhost.url,
    settings: { WORKER_HEALTH_PORT: '0' },
  });
  await warren.start();
  await using _worker = await warren.startWorker();
  const { findings } = await eventually(
    () => doctor(environmentOf(database, vhost)),
    (found) => found.findings.length === 0, // the statistics of new queues come after a second
  );
  expect(findings).toEqual([]);
});

const planted = [
  'index-missing',
  'index-invalid',
  'autovacuum-off',
  'grants-missing',
  'pools-too-large',
  'worker-silent',
  'worker-gone',
  'versions-differ',
  'loop-blocked',
  'lane-fallback',
  'leader-stuck',
  'claims-closed',
  'queue-paused',
  'queue-unserved',
  'type-unknown',
  'jobs-unpublished',
  'jobs-overdue',
  'jobs-orphaned',
  'schedule-late',
  'type-fails',
  'jobs-crash',
  'jobs-wait',
  'limit-full',
  'job-long',
  'queue-missing',
  'dead-letters',
  'queue-mistyped',
  'queue-unbound',
  'dead-letters-lost',
  'policy-loses',
];

describe('on a fleet with many faults', () => {
  let stack: AsyncDisposableStack;
  let database: TestDatabase;
  let environment: Record<string, string>;
  let found: Awaited<ReturnType<typeof doctor>>;

  beforeAll(async () => {
    await using opened = new AsyncDisposableStack();
    database = opened.use(await createDatabase());
    const vhost = opened.use(await createVhost());
    const sql = postgres(database.url, { max: 1, onnotice: () => {} });
    opened.defer(async () => await sql.end());
    await plantInPostgres(sql);
    // A worker that lacks a grant would not start: it was taken from one that runs.
    const role = decodeURIComponent(new URL(asRole(database.url, 'worker')).username);
    await sql`revoke select on warren.limits from ${sql(role)}`;
    const stale = postgres(asRole(database.url, 'worker'), {
      max: 1,
      connection: { application_name: 'warren-worker@elsewhere:1' },
    });
    opened.defer(async () => await stale.end());
    await stale`select 1`;
    await plantInRabbitmq(vhost);
    environment = { ...environmentOf(database, vhost), DATABASE_POOL_MAX: '500', HOST: '' };
    found = await eventually(
      () => doctor(environment),
      ({ codes }) => planted.every((code) => codes.includes(code)), // policies and statistics come a moment later
    );
    stack = opened.move();
  });

  afterAll(async () => await stack.disposeAsync());

  test.each(planted)('it finds %s', (code) => {
    expect(found.codes).toContain(code);
  });

  test('a worker that was killed is a note once its jobs were taken over, and a warning before', () => {
    const of = (code: string) => found.findings.filter((finding) => finding.code === code);
    expect(of('worker-gone').map(({ detail }) => detail)).toEqual([expect.stringContaining('@killed:1')]);
    const silent = of('worker-silent').map(({ detail }) => detail);
    expect(silent.sort()).toEqual([
      expect.stringContaining('@frozen:1'),
      expect.stringContaining('@owing:1'),
    ]);
  });

  test('it ends with 9, for people it begins with the worst, and each finding has a remedy', async () => {
    expect(found.code).toBe(9);
    for (const { detail, remedy, page } of found.findings) {
      expect(detail).not.toBe('');
      expect(remedy).not.toBe('');
      expect(page).toMatch(/^docs\/.+\.md$/);
    }
    const { out } = await runWarren(['doctor'], environment, { add: addDoctor });
    expect(out).toMatch(/^error /);
    expect(out).toMatch(/^\d+ errors, \d+ warnings?, \d+ notes?\n$/m);
  });

  test('--fix builds invalid indexes anew, and touches no job', async () => {
    const sql = postgres(database.url, { max: 1 });
    const jobs = () => sql`select md5(string_agg(job::text, ' ' order by id)) from warren.jobs job`;
    const before = await jobs();
    const { mended } = await doctor(environment, '--fix');
    expect(mended).toEqual(['built the index warren.jobs_failed anew']);
    expect(await jobs()).toEqual(before);
    const noted = await sql`select act, target, outcome from warren.audit`;
    expect(noted).toEqual([{ act: 'indexes.rebuild', target: 'jobs_failed', outcome: 'done' }]);
    expect((await doctor(environment)).codes).not.toContain('index-invalid');
    await sql.end();
  });
});

test.each<[string, (database: TestDatabase) => Record<string, string>]>([
  ['settings-wrong', ({ url }) => ({ DATABASE_URL: url })],
  ['postgres-away', () => ({ DATABASE_URL: 'postgres://127.0.0.1:2/none', AMQP_URL: 'none' })],
  [
    'direct-url-wrong',
    ({ url }) => ({
      DATABASE_URL: url,
      DATABASE_DIRECT_URL: 'postgres://127.0.0.1:2/none',
      AMQP_URL: 'none',
    }),
  ],
  ['schema-older', ({ url }) => ({ DATABASE_URL: url, AMQP_URL: 'none' })],
  ['rabbitmq-away', ({ url }) => ({ DATABASE_URL: url, AMQP_URL: 'amqp://127.0.0.1:2' })],
  [
    'management-unasked',
    ({ url }) => ({
      DATABASE_URL: url,
      AMQP_URL: 'amqp://127.0.0.1:2',
      RABBITMQ_MANAGEMENT_URL: 'http://127.0.0.1:2',
    }),
  ],
])('it finds %s', async (code, environment) => {
  await using database = await createDatabase({ migrated: false });
  expect((await doctor(environment(database))).codes).toContain(code);
});

test('of a RabbitMQ that lets it in and answers nothing it says so, and ends', async () => {
  await using database = await createDatabase();
  await using vhost = await createVhost();
  await using mute = await startMuteBroker(vhost.url);
  const { code, findings } = await doctor({ DATABASE_URL: database.url, AMQP_URL: mute.url });
  expect(code).toBe(9);
  expect(findings).toContainEqual(
    expect.objectContaining({
      code: 'rabbitmq-away',
      detail: expect.stringMatching(/^RabbitMQ does not answer: \S+ no answer within 10 s$/),
    }),
  );
});

test('each check is told apart by its code', () => {
  const codes = allChecks.map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
});

async function plantInPostgres(sql: postgres.Sql): Promise<void> {
  await sql.unsafe(`
    drop index warren.events_xid;
    update pg_index set indisvalid = false where indexrelid = 'warren.jobs_failed'::regclass;
    alter table warren.limits set (autovacuum_enabled = false);
    delete from warren.claims_open;
    insert into warren.queues (name, paused) values ('default', false), ('critical', true), ('webhooks', false), ('reports', false);
    insert into warren.job_types (name, app, queue, max_attempts) values ('process-order', 'shop', 'default', 5);
    insert into warren.workers (owner, name, beat_at, queues, types, version, lane, loop_delay_ms) values
      (1, 'warren-worker@a:1', now() + interval '1 h', '{default,critical}', '{process-order}', '0.1.0', 'postgres', 5000),
      (2, 'warren-worker@b:1', now() + interval '1 h', '{default,critical}', '{process-order}', '0.0.9', 'rabbitmq', 1),
      (3, 'warren-worker@killed:1', now() - interval '2 min', '{default}', '{process-order}', '0.1.0', 'rabbitmq', 1),
      (4, 'warren-worker@frozen:1', now() - interval '2 min', '{default}', '{process-order}', '0.1.0', 'rabbitmq', 1),
      (5, 'warren-worker@owing:1', now() - interval '2 min', '{default}', '{process-order}', '0.1.0', 'rabbitmq', 1);
    select pg_advisory_lock(${ADVISORY_CLASS}, 4);
    insert into warren.jobs (type, queue, args, state, max_attempts, run_at, relay_at, owner, started_at) values
      ('process-order', 'default', '{}', 'available', 5, now() - interval '1 h', now() - interval '1 h', null, null),
      ('process-order', 'critical', '{}', 'available', 5, now() - interval '1 h', now() - interval '1 h', null, null),
      ('process-order', 'nowhere', '{}', 'available', 5, now() - interval '1 h', now() - interval '1 h', null, null),
      ('dance', 'default', '{}', 'available', 5, now() - interval '1 h', now() - interval '1 h', null, null),
      ('process-order', 'default', '{}', 'scheduled', 5, now() - interval '1 h', now(), null, null),
      ('process-order', 'default', '{}', 'running', 5, now() - interval '1 h', now(), 5, now()),
      ('process-order', 'default', '{}', 'running', 5, now() - interval '1 h', now(), 99, now() - interval '1 h');
    insert into warren.jobs (type, queue, args, state, max_attempts, attempt, run_at, errors, crashes)
    select 'process-order', 'default', '{}', 'retryable', 5, 1, now() + interval '1 h',
      jsonb_build_array(jsonb_build_object('attempt', 1, 'at', now(), 'message', 'the bank is closed')), 0 from generate_series(1, 3);
    insert into warren.jobs (type, queue, args, state, max_attempts, attempt, errors, crashes)
    values ('process-order', 'default', '{}', 'discarded', 5, 3,
      jsonb_build_array(jsonb_build_object('attempt', 1, 'at', now(), 'message', 'worker_crashed: exit code 66')), 3);
    insert into warren.jobs (type, queue, args, state, max_attempts, run_at, limits, held_for, held_rank)
    values ('process-order', 'default', '{}', 'held', 5, now() - interval '1 h', '{stripe}', 'limit:stripe', 9);
    insert into warren.schedules (name, app, every_ms, timezone, type, args, options, job, overlap, catch_up, jitter_ms, next_tick)
    values ('late', 'shop', 60000, 'UTC', 'process-order', '{}', '{}', '{}', 'allow', 'last', 0, now() - interval '1 h');
  `);
}

async function plantInRabbitmq({ url, management, name }: TestVhost): Promise<void> {
  const model = await connect(url);
  const channel = await model.createConfirmChannel();
  await channel.assertExchange('warren', 'direct', { durable: true });
  await channel.assertExchange('warren.dead', 'fanout', { durable: true });
  await channel.assertQueue('warren.dead', { durable: true, arguments: { 'x-queue-type': 'quorum' } });
  await channel.bindQueue('warren.dead', 'warren.dead', '');
  channel.publish('warren.dead', '', Buffer.from('7'));
  await channel.assertQueue('warren.default', { durable: true, arguments: { 'x-queue-type': 'classic' } });
  await channel.waitForConfirms();
  await model.close();
  await management.request('PUT', `/policies/${name}/short`, {
    pattern: '^warren\\.default$',
    definition: { 'message-ttl': 60_000 },
    'apply-to': 'queues',
  });
}
