// Warren: its real programs, with an application that has the job type of the comparison, and its settings where they stand.
import { join } from 'node:path';
import amqp from 'amqplib';
import postgres from 'postgres';
import { waitUntil } from '../../../dev/wait-until.ts';
import { Enqueuer } from '../../../src/queue/enqueue.ts';
import { Events } from '../../../src/shared/observe/events.ts';
import { Database } from '../../../src/shared/postgres/database.ts';
import { Publisher } from '../../../src/shared/rabbitmq/publisher.ts';
import { brokerQueue } from '../../../src/shared/rabbitmq/topology.ts';
import { app, queueNames } from '../../stage/shop.ts';
import type { Contender, Places, ProgramPlan, Store, Work } from '../contender.ts';
import { defineVersusJob } from '../programs/versus-job.ts';

const WARREN_APP = join(import.meta.dirname, '../programs/warren-app.ts');
const LIVE = `('scheduled', 'held', 'available', 'running', 'retryable')`;
const BROKER_QUEUE = brokerQueue('default');
const CHUNK = 5_000;
const FILL_TIMEOUT_MS = 60_000;
const definition = defineVersusJob(() => Promise.reject(new Error('only workers perform')));
/** A worker of 100 slots has the five channels that a queue has by default. */
const CHANNELS = 5;

export const programs: NonNullable<Contender['programs']> = {
  api: (places) => plan('api', places),
  worker: (places, concurrency) => {
    const channels = concurrency % CHANNELS === 0 ? CHANNELS : 1;
    return worker(places, `default:${channels}:${concurrency / channels}`);
  },
};

export const warren: Contender = {
  name: 'warren',
  title: 'Warren',
  durability: 'fsync of the commit before the answer; the broker confirms behind it',
  recovery: 'at once: the broker redelivers, the dead lock proves it',
  servers: ['postgres', 'rabbitmq'],
  prepare: async () => {}, // every database of the comparison has its schema, for the orders
  open,
  connect: () => Promise.reject(new Error("Warren's API is its own program")),
  work: () => Promise.reject(new Error("Warren's worker is its own program")),
  settled,
  programs,
};

/** As far ahead as the batches of the others: 500 jobs, which are slots too in Warren. */
export const warrenAhead: Contender = {
  ...warren,
  name: 'warren-ahead',
  title: 'Warren, prefetch 100',
  programs: { api: (places) => plan('api', places), worker: ahead },
};

function ahead(places: Places): ProgramPlan {
  return worker(places, `default:${CHANNELS}:100`);
}

function worker(places: Places, queues: string): ProgramPlan {
  return plan('worker', places, { WORKER_QUEUES: queues, WORKER_HEALTH_PORT: '0' });
}

function plan(
  program: 'api' | 'worker',
  { databaseUrl, amqpUrl }: Places,
  env: Record<string, string> = {},
): ProgramPlan {
  return {
    file: `src/${program}/main.ts`,
    env: { DATABASE_URL: databaseUrl, AMQP_URL: amqpUrl, WARREN_APP, ...env },
  };
}

export async function open({ databaseUrl, amqpUrl }: Places): Promise<Store> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  return {
    enqueueMany: async (works) => await enqueueAndWait(sql, { databaseUrl, amqpUrl }, works),
    held: async () => {
      const rows = await sql<{ key: string }[]>`
        select args->>'key' as key from warren.jobs where state in ${sql.unsafe(LIVE)}`;
      return rows.map(({ key }) => key);
    },
    count: async () => {
      const [row] = await sql<{ count: number }[]>`
        select count(*)::int as count from warren.jobs where state in ${sql.unsafe(LIVE)}`;
      return row?.count ?? 0;
    },
    empty: async () => {
      await sql`truncate warren.jobs, warren.idempotency_keys`;
      await purge(amqpUrl);
    },
    close: async () => await sql.end({ timeout: 2 }),
  };
}

/** As the API does it; resolves when the broker has the messages, or the relay will have to see to it. */
async function enqueueAndWait(
  sql: postgres.Sql,
  { databaseUrl, amqpUrl }: Pick<Places, 'databaseUrl' | 'amqpUrl'>,
  works: readonly Work[],
): Promise<void> {
  const name = 'versus-fill';
  const events = new Events();
  const database = new Database({ url: databaseUrl, name, min: 1, max: 4, events });
  const publisher = new Publisher({ url: amqpUrl, name, channels: CHANNELS, queues: queueNames, events });
  const enqueuer = new Enqueuer({ database, publisher, app, events });
  database.start();
  publisher.start();
  try {
    await waitUntil({
      what: 'the publisher',
      check: () => publisher.ready || undefined,
      timeoutMs: FILL_TIMEOUT_MS,
    });
    for (let start = 0; start < works.length; start += CHUNK) {
      const requests = works.slice(start, start + CHUNK).map((args) => ({ definition, args }));
      await enqueuer.enqueueBatch(requests);
      // One that is behind leaves the rest to the relay, and no worker runs one.
      await waitUntil({
        what: 'the confirms',
        check: () => publisher.unconfirmed === 0 || undefined,
        timeoutMs: FILL_TIMEOUT_MS,
        intervalMs: 5,
      });
    }
    await waitUntil({ what: 'the marks', check: () => isPublished(sql), timeoutMs: FILL_TIMEOUT_MS });
  } finally {
    await publisher.stop();
    await enqueuer.stop();
    await database.stop();
  }
}

async function isPublished(sql: postgres.Sql): Promise<true | undefined> {
  const [row] = await sql<{ left: number }[]>`
    select count(*)::int as left from warren.jobs where state = 'available' and published_at is null`;
  return row?.left === 0 ? true : undefined;
}

async function settled({ databaseUrl }: Places): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} });
  await waitUntil({ what: 'the marks', check: () => isPublished(sql), timeoutMs: FILL_TIMEOUT_MS });
  await sql.end({ timeout: 2 });
}

export async function purge(amqpUrl: string): Promise<void> {
  const connection = await amqp.connect(amqpUrl, { timeout: 10_000 });
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => {}); // no such queue yet: nothing to purge
    await channel.purgeQueue(BROKER_QUEUE).catch(() => {});
  } finally {
    await connection.close();
  }
}
