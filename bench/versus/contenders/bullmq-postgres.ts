// BullMQ on Postgres: the backend that BullMQ 6 ships (`createPostgresBackend`), with its defaults.
// https://docs.bullmq.io/guide/postgresql
import { createPostgresBackend, Queue, runMigrations, Worker } from 'bullmq';
import type { Contender, Places, Store, Work } from '../contender.ts';
import { QUEUE } from '../contender.ts';
import { describeError } from '../programs/describe-error.ts';
import { openQueue } from './bullmq-store.ts';
import { connectPool, truncateTables } from './node-postgres.ts';

export const bullmqPostgres: Contender = {
  name: 'bullmq-postgres',
  title: 'BullMQ on Postgres',
  durability: 'fsync of the commit before the answer',
  recovery: 'lock of 30 s, looked at every 30 s',
  servers: ['postgres'],
  prepare: async ({ databaseUrl }) => {
    const pool = connectPool(databaseUrl);
    const client = await pool.connect();
    try {
      await runMigrations(client);
    } finally {
      client.release();
      await pool.end();
    }
  },
  open,
  connect: async ({ databaseUrl }) => {
    const queue = new Queue(QUEUE, { connection: databaseUrl }, createPostgresBackend);
    queue.on('error', describeError);
    await queue.waitUntilReady();
    return { enqueue: async (work) => (await queue.add(QUEUE, work)).id ?? '' };
  },
  work: async ({ databaseUrl }, { concurrency, perform }) => {
    const worker = new Worker(
      QUEUE,
      async ({ data }: { data: Work }) => await perform(data),
      { connection: databaseUrl, concurrency },
      createPostgresBackend,
    );
    worker.on('error', describeError);
    await worker.waitUntilReady();
  },
};

async function open({ databaseUrl }: Places): Promise<Store> {
  const pool = connectPool(databaseUrl);
  const queue = new Queue(QUEUE, { connection: databaseUrl }, createPostgresBackend);
  return openQueue(queue, {
    empty: async () => await truncateTables(pool, 'bullmq', /migration/),
    close: async () => await pool.end(),
  });
}
