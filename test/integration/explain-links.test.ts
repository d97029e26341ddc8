// From each reason why a job does not run a link leads to where its cause is seen: followed in a real browser. The causes are rows of the database here;
// explain.test.ts brings each about as it happens.

import type { Page } from 'playwright-core';
import postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Reason } from '../../src/queue/explain/reasons.ts';
import { reasonNames } from '../../src/queue/explain/reasons.ts';
import { ADVISORY_CLASS } from '../../src/shared/postgres/statements/parts.ts';
import type { RunningApi } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import type { TestBrowser } from '../support/browser.ts';
import { findBrowserObstacle, startBrowser } from '../support/browser.ts';
import type { TestDatabase, TestVhost } from '../support/servers.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const OWNER = 4711;
const WORKER = 'warren-worker@links:1';
const hour = 3_600_000;
const inAnHour = () => new Date(Date.now() + hour);
const anHourAgo = () => new Date(Date.now() - hour);
const errors = [{ attempt: 1, at: new Date().toISOString(), message: 'no such mailbox' }];

interface Cause {
  /** Of the job. */
  columns?: Record<string, unknown>;
  /** Made before the job is looked at. */
  before?: (sql: postgres.Sql, id: string) => Promise<unknown>;
  /** Undoes it. */
  after?: (sql: postgres.Sql) => Promise<unknown>;
  /** Through the API that misses its RabbitMQ. Defaults to false. */
  isCutOff?: true;
  /** What is read where the link leads. */
  shows: string | RegExp;
}

const pass = (gate: string, args: object) => async (sql: postgres.Sql) => {
  const other = await insert(sql, { state: 'running', owner: OWNER, started_at: new Date(), ...args });
  await sql`insert into warren.passes (gate, job_id, since, fence) values (${gate}, ${other}, now(), 0)`;
};
const noJobs = (sql: postgres.Sql) => sql`delete from warren.jobs`;

const causes: Record<Reason, Cause> = {
  'due-later': { columns: { state: 'scheduled', run_at: inAnHour() }, shows: 'due' },
  'retry-later': {
    columns: { state: 'retryable', run_at: inAnHour(), attempt: 1, started_at: anHourAgo(), errors },
    shows: 'no such mailbox',
  },
  'due-now': { columns: { state: 'scheduled', run_at: anHourAgo(), created_at: new Date(0) }, shows: 'due' },
  expired: { columns: { expires_at: anHourAgo() }, shows: 'Expires' },
  'claims-closed': {
    before: (sql) => sql`with taken as (delete from warren.claims_open returning 1) select 1`,
    after: (sql) => sql`insert into warren.claims_open default values`,
    shows: WORKER,
  },
  'queue-paused': {
    before: (sql) => sql`
      insert into warren.queues (name, paused, paused_at) values ('default', true, now())
      on conflict (name) do update set paused = true, paused_at = now()`,
    after: (sql) => sql`update warren.queues set paused = false, paused_at = null`,
    shows: 'paused',
  },
  'type-paused': {
    before: (sql) =>
      sql`update warren.job_types set paused = true, paused_at = now() where name = 'process-order'`,
    after: (sql) => sql`update warren.job_types set paused = false, paused_at = null`,
    shows: 'paused',
  },
  'no-worker': { columns: { queue: 'reports' }, shows: WORKER },
  'unknown-type': { columns: { type: 'nobody-knows' }, shows: WORKER },
  limit: {
    columns: { state: 'held', held_for: 'limit:stripe', limits: '{stripe}' },
    before: async (sql) => {
      await sql`insert into warren.limits (name, origin, concurrency) values ('stripe', 'run time', 1)`;
      await pass('limit:stripe', {})(sql);
    },
    after: noJobs,
    shows: '1 of 1',
  },
  order: {
    columns: { state: 'held', held_for: 'order:default:account-7', ordering_key: 'account-7' },
    before: pass('order:default:account-7', { ordering_key: 'account-7' }),
    after: noJobs,
    shows: 'account-7',
  },
  group: {
    columns: { state: 'held', held_for: 'group:default:acme', group_key: 'acme' },
    before: pass('group:default:acme', { group_key: 'acme' }),
    after: noJobs,
    shows: 'running',
  },
  'broker-away': { isCutOff: true, shows: /^RabbitMQ: / },
  'not-published': { shows: 'Postgres and RabbitMQ' },
  'workers-busy': {
    before: (sql) => insert(sql, { state: 'running', owner: OWNER, started_at: new Date() }),
    after: noJobs,
    shows: '1 of 1',
  },
  'starts-next': { columns: { published_at: new Date() }, shows: WORKER },
  running: {
    columns: { state: 'running', owner: OWNER, started_at: new Date() },
    after: noJobs,
    shows: WORKER,
  },
  cancelling: {
    columns: { state: 'running', owner: OWNER, started_at: new Date(), cancel_requested_at: new Date() },
    after: noJobs,
    shows: WORKER,
  },
  'worker-lost': { columns: { state: 'running', owner: 1, started_at: new Date() }, shows: WORKER },
  ended: {
    columns: { state: 'discarded', attempt: 1, started_at: anHourAgo(), finished_at: new Date(), errors },
    shows: 'no such mailbox',
  },
};

async function insert(sql: postgres.Sql, columns: Record<string, unknown>): Promise<string> {
  const row = {
    type: 'process-order',
    queue: 'default',
    args: {},
    max_attempts: 5,
    state: 'available',
    ...columns,
  };
  const [inserted] = await sql<{ id: string }[]>`
    insert into warren.jobs ${sql(row as never)} returning id::text as id`;
  return inserted?.id ?? '';
}

const obstacle = await findBrowserObstacle();

describe.skipIf(obstacle !== undefined)(obstacle ?? 'the link of a reason', () => {
  let database: TestDatabase;
  let vhost: TestVhost;
  let sql: postgres.Sql;
  let api: RunningApi;
  let cutOff: RunningApi;
  let browser: TestBrowser;
  let page: Page;

  beforeAll(async () => {
    [database, vhost, browser] = await Promise.all([createDatabase(), createVhost(), startBrowser()]);
    sql = postgres(database.url, { max: 1, onnotice: () => {}, fetch_types: false });
    api = await startApi({ databaseUrl: database.url, amqpUrl: vhost.url });
    cutOff = await startApi({ databaseUrl: database.url });
    page = await browser.open();
    await sql`select pg_advisory_lock(${ADVISORY_CLASS}, ${OWNER})`; // by which a worker is known to live
    await sql`
      insert into warren.workers (owner, name, beat_at, queues, types, slots, lane)
      values (${OWNER}, ${WORKER}, now() + interval '1 hour', '{default}', '{process-order}', '{"default": 1}', 'rabbitmq')`;
    await sql`update warren.leadership set owner = ${OWNER}, until = now() + interval '1 hour'`;
    await sql`insert into warren.job_types (name, app, queue, max_attempts) values ('process-order', 'shop', 'default', 5) on conflict do nothing`;
  });

  afterAll(async () => {
    await browser?.[Symbol.asyncDispose]();
    await Promise.all([api?.[Symbol.asyncDispose](), cutOff?.[Symbol.asyncDispose]()]);
    await sql?.end();
    await database?.[Symbol.asyncDispose]();
    await vhost?.[Symbol.asyncDispose]();
  });

  test.each(reasonNames)('%s', async (reason) => {
    const { columns = {}, before, after, isCutOff = false, shows } = causes[reason];
    const id = await insert(sql, columns);
    await before?.(sql, id);
    const { url } = isCutOff ? cutOff : api;
    const told = (await (isCutOff ? cutOff : api).get(`/v1/jobs/${id}/explain`)).body;
    expect(told.reason, JSON.stringify(told)).toBe(reason);
    await page.goto(`${url}/dashboard/jobs/${id}`);
    const link = page.locator('#why').getByRole('link');
    const target = new URL((await link.getAttribute('href')) ?? '', page.url());
    await link.click();
    await page.waitForURL(target.href);
    await page.locator('h1').waitFor();
    const part = target.hash === '' ? page.getByRole('main') : page.locator(target.hash);
    await part.getByText(shows).first().waitFor();
    await after?.(sql);
    await sql`delete from warren.jobs where id = ${id}`;
    await sql`delete from warren.passes`;
  });
});
