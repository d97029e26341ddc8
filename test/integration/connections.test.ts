import postgres from 'postgres';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import type { Activity } from '../../bench/connections/activity.ts';
import { ActivityReader } from '../../bench/connections/activity.ts';
import { findBrokerConnections } from '../../bench/connections/management.ts';
import { findQueues } from '../../bench/scale-out/queues.ts';
import type { RunningApi } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import { eventually, HANG_MS } from '../support/eventually.ts';
import { startFile } from '../support/program.ts';
import type { TestDatabase, TestVhost } from '../support/servers.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

let database: TestDatabase;
let vhost: TestVhost;
let api: RunningApi;
const name = `warren-api@test:${process.pid}`;

beforeAll(async () => {
  database = await createDatabase();
  vhost = await createVhost();
  api = await startApi({ databaseUrl: database.url, amqpUrl: vhost.url });
});

afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await vhost[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const ownBroker = () => findBrokerConnections({ managementUrl: inject('managementUrl'), vhost: vhost.name });

test('Postgres tells who holds its connections, without the one that asks', async () => {
  const reader = new ActivityReader(database.url);
  try {
    const ownOf = ({ applications }: Activity) =>
      applications.filter((application) => application.name !== '(other databases)');
    const activity = await eventually(
      () => reader.read(),
      (read) => (ownOf(read)[0]?.connections ?? 0) >= 2, // the pool opens its smallest number by and by
    );
    const { max, total } = activity;
    const own = ownOf(activity);
    expect(own.map((application) => application.name)).toEqual([name]);
    expect(total).toBeGreaterThanOrEqual(own[0]?.connections ?? Number.NaN);
    expect(max).toBeGreaterThan(total);
  } finally {
    await reader.stop();
  }
});

test('a connection that broke is opened again for the next question', async () => {
  const reader = new ActivityReader(database.url);
  const other = new ActivityReader(database.url);
  try {
    await reader.read();
    await reader.stop();
    await expect(reader.read()).rejects.toThrow('CONNECTION_ENDED');
    expect((await other.read()).applications.length).toBeGreaterThan(0);
  } finally {
    await other.stop();
  }
});

test('RabbitMQ tells who is connected over how many channels', async () => {
  const [connection] = await eventually(ownBroker, ([first]) => first?.name === name && first.channels === 4);
  expect(connection).toEqual({ name, connections: 1, channels: 4, consumers: 0 });
});

test('the API tells how many jobs wait in each queue, however many messages they have', async () => {
  const sql = postgres(database.url, { max: 1 });
  await sql`
    insert into warren.jobs (type, queue, args, max_attempts, state)
    select 'of-nobody', 'reports', '{}', 1, 'available' from generate_series(1, 3)`;
  await sql.end();
  const queues = await findQueues({
    url: new URL(api.url),
    token: undefined,
    signal: AbortSignal.timeout(HANG_MS),
  });
  expect(
    queues.map(({ name: queue, waiting, running, completed }) => [queue, waiting, running, completed]),
  ).toEqual([
    ['critical', 0, 0, 0],
    ['default', 0, 0, 0],
    ['webhooks', 0, 0, 0],
    ['reports', 3, 0, 0],
  ]);
});

async function runCommand(
  environment: Record<string, string>,
): Promise<{ code: number | null; text: string }> {
  await using program = await startFile('bench/connections/main.ts', {
    DATABASE_URL: database.url,
    AMQP_URL: vhost.url,
    RABBITMQ_MANAGEMENT_URL: inject('managementUrl'),
    ...environment,
  });
  const { code } = await program.exited;
  return { code, text: program.text.join('\n') };
}

test('the command prints one table, and ends with 0 while nothing exceeds its maximum', async () => {
  await eventually(ownBroker, ([first]) => first?.channels === 4);
  const { code, text } = await runCommand({});
  expect(text).toContain('PROCESS');
  expect(text).toMatch(new RegExp(`${name} +\\d+/10 +\\d+ +1/1 +4/5 +0/0`));
  expect(code).toBe(0);
});

test('the command ends with 1 where something does, and says what', async () => {
  const { code, text } = await runCommand({ DATABASE_POOL_MAX: '1' });
  expect(text).toMatch(new RegExp(`EXCEEDED: ${name} holds \\d+ Postgres connections, its settings allow 1`));
  expect(code).toBe(1);
});

test('the command ends with 2 where nobody answers', async () => {
  const nowhere = '127.0.0.1:1';
  const { code, text } = await runCommand({
    DATABASE_URL: `postgres://${nowhere}/none`,
    RABBITMQ_MANAGEMENT_URL: `http://guest:guest@${nowhere}`,
  });
  expect(text).toContain('Postgres is unknown: ');
  expect(text).toContain('RabbitMQ is unknown: ');
  expect(code).toBe(2);
});
