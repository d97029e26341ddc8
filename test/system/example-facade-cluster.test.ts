// The facade's document tests its cluster so: nobody reads, 100 messages go in, the node that leads the queue is killed, the readers are started. All 100
// arrive, none twice. Played on three nodes of RabbitMQ; LEADER_KILLS=10 plays it ten times, and each killed node comes back.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePorts } from '../../dev/free-port.ts';
import { ProcessRecord } from '../../dev/process-record.ts';
import type { ClusterNode } from '../../dev/services/cluster-node.ts';
import type { RabbitmqCluster } from '../../dev/services/rabbitmq-cluster.ts';
import { startRabbitmqCluster, untilJoined } from '../../dev/services/rabbitmq-cluster.ts';
import { migrate } from '../../src/shared/postgres/migrate/migrate.ts';
import { loadApp } from '../../src/shared/program/load-app.ts';
import { eventually } from '../support/eventually.ts';
import type { Program } from '../support/program.ts';
import { startFile } from '../support/program.ts';
import { createDatabase } from '../support/servers.ts';

const kills = Number(process.env['LEADER_KILLS'] ?? 1);
const count = 100;
const roundTimeoutMs = 400_000;
const root = resolve(import.meta.dirname, '../..');
const folder = join(root, '.services/test/facade-cluster');

interface Queue {
  leader: string;
  members: string[];
  online: string[];
  messages: number;
}

const started = new AsyncDisposableStack();
let cluster: RabbitmqCluster;
let sql: postgres.Sql;
let env: Record<string, string>;
const kinds = ['FACADE', 'LOGGING_1', 'LOGGING_2', 'LOGGING_3', 'MESSAGES_1', 'MESSAGES_2'];

beforeAll(async () => {
  mkdirSync(folder, { recursive: true });
  const record = await ProcessRecord.claim({ file: join(folder, 'processes.json'), log: () => {} });
  started.defer(() => record.release());
  cluster = started.use(await startRabbitmqCluster({ folder: join(folder, 'nodes'), record, log: () => {} }));
  const database = started.use(await createDatabase({ migrated: false }));
  await migrate({ databaseUrl: database.url, app: await loadApp(join(root, 'examples/facade/app.ts')) });
  sql = postgres(database.url, { max: 1, onnotice: () => {} });
  started.defer(async () => sql.end());
  const ports = await freePorts(kinds.length);
  env = {
    DATABASE_URL: database.url,
    AMQP_URL: cluster.urls.amqpUrl,
    ...Object.fromEntries(kinds.map((kind, n) => [`${kind}_URL`, `http://127.0.0.1:${ports[n]}`])),
  };
  for (const kind of kinds.slice(0, 4)) started.use(await start(kind));
}, roundTimeoutMs);

afterAll(async () => started.disposeAsync());

/** One of the services. Resolves when it is ready. */
async function start(kind: string): Promise<Program> {
  const url = env[`${kind}_URL`] ?? '';
  const file = `examples/facade/${kind.toLowerCase().replace(/_\d$/, '')}.ts`;
  const program = await startFile(file, { ...env, PORT: new URL(url).port });
  const isReady = async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.ok ?? false;
  await eventually(isReady, Boolean);
  return program;
}

/** As the first node tells that answers. Undefined while none does. */
async function readQueue(): Promise<Queue | undefined> {
  const running = cluster.nodes.filter((node) => node.running);
  const answers = running.map((node) => node.ask<Queue>('/queues/%2F/warren.messages'));
  return await Promise.any(answers).catch(() => undefined);
}

async function postAll(texts: readonly string[]): Promise<string[]> {
  return await Promise.all(
    texts.map(async (msg) => {
      const answer = await fetch(env['FACADE_URL'] ?? '', { method: 'POST', body: JSON.stringify({ msg }) });
      expect(answer.status).toBe(202);
      return ((await answer.json()) as { id: string }).id;
    }),
  );
}

/** What both messages-services have read. */
async function readMemories(): Promise<string[]> {
  const memories = await Promise.all(
    ['MESSAGES_1', 'MESSAGES_2'].map(async (kind) => {
      const kept = (await (await fetch(`${env[`${kind}_URL`]}/messages`)).json()) as { id: string }[];
      return kept.map(({ id }) => id);
    }),
  );
  return memories.flat();
}

async function killLeader(): Promise<{ node: ClusterNode; messages: number }> {
  const isPublished = async () =>
    (await sql`select from warren.jobs where state = 'available' and published_at is null`).count === 0;
  await eventually(isPublished, Boolean);
  const whole = await eventually(
    readQueue,
    (queue) => queue?.online?.length === 3 && queue.members.length === 3 && queue.messages > 0,
  );
  const node = cluster.nodes.find(({ name }) => name === whole?.leader);
  if (node === undefined) throw new Error(`no node is the leader ${whole?.leader}`);
  await node.kill();
  expect(node.running).toBe(false);
  await eventually(readQueue, (queue) => queue !== undefined && !['', node.name].includes(queue.leader));
  return { node, messages: whole?.messages ?? 0 };
}

test.each(Array.from({ length: kills }, (_, n) => n + 1))(
  'leader kill %i: all 100 messages arrive, none twice',
  { timeout: roundTimeoutMs },
  async (round) => {
    const texts = Array.from({ length: count }, (_, n) => `message ${n} of round ${round}`);
    const ids = await postAll(texts);
    const { node, messages } = await killLeader();
    await eventually(readQueue, (queue) => queue?.messages === messages); // the others had them all

    const readers = await Promise.all([start('MESSAGES_1'), start('MESSAGES_2')]);
    const kept = await eventually(readMemories, (found) => found.length >= count);
    expect(kept.toSorted()).toEqual(ids.toSorted());
    const [jobs] = await sql`
      select count(*)::int as jobs, sum(attempt)::int as attempts from warren.jobs where args->>'msg' like ${`% of round ${round}`}`;
    expect(jobs).toEqual({ jobs: count, attempts: count });
    await eventually(readQueue, (queue) => queue?.messages === 0); // it was the queue that told the readers
    const shown = (await (await fetch(env['FACADE_URL'] ?? '')).json()) as { logging: string[] };
    expect(shown.logging.filter((msg) => texts.includes(msg)).toSorted()).toEqual(texts.toSorted());

    for (const reader of readers) reader.signal('SIGTERM');
    for (const reader of readers) expect((await reader.exited).code).toBe(0);
    if (round === kills) return;
    await node.start();
    await untilJoined(node, { size: 3 });
  },
);
