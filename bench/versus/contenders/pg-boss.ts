// pg-boss: as its introduction has it (one job per fetch, a fetch every 2 s), and in its fastest mode: batches, LISTEN/NOTIFY, and fetching on
// while batches come back full. https://pgboss.io/api/workers. A job may be active for 15 minutes in either.
import pLimit from 'p-limit';
import { PgBoss } from 'pg-boss';
import type { Contender, Places, Store, Work, WorkerOptions } from '../contender.ts';
import { QUEUE } from '../contender.ts';
import { describeError } from '../programs/describe-error.ts';
import { connectPool } from './node-postgres.ts';

const CHUNK = 10_000;
/** Fetches under way at once. */
const LANES = 4;
/** Of a worker with many slots, which runs them as its slots allow; a small one fetches what it can run. */
const BATCH = 500;
const MANY_SLOTS = 100;

function pgBoss(mode: 'defaults' | 'fastest'): Contender {
  const isFastest = mode === 'fastest';
  const connectBoss = async ({ databaseUrl }: Places) => {
    const boss = new PgBoss({ connectionString: databaseUrl, useListenNotify: isFastest });
    boss.on('error', describeError);
    return await boss.start();
  };
  return {
    name: isFastest ? 'pg-boss-fastest' : 'pg-boss',
    title: isFastest ? 'pg-boss, fastest mode' : 'pg-boss',
    durability: 'fsync of the commit before the answer',
    recovery: 'expires after 15 min (expireInSeconds)',
    servers: ['postgres'],
    prepare: async (places) => {
      const boss = await connectBoss(places);
      await boss.createQueue(QUEUE, isFastest ? { notify: true } : {});
      await boss.stop({ graceful: false });
    },
    open: async (places) => openStore(places, await connectBoss(places)),
    connect: async (places) => {
      const boss = await connectBoss(places);
      return { enqueue: async (work) => (await boss.send(QUEUE, work)) ?? '' };
    },
    work: async (places, options) => {
      const boss = await connectBoss(places);
      await (isFastest ? workInBatches : workOneByOne)(boss, options);
    },
  };
}

async function workOneByOne(boss: PgBoss, { concurrency, perform }: WorkerOptions): Promise<void> {
  await boss.work<Work>(QUEUE, { localConcurrency: concurrency }, async (jobs) => {
    for (const { data } of jobs) await perform(data);
  });
}

async function workInBatches(boss: PgBoss, { concurrency, perform }: WorkerOptions): Promise<void> {
  const localConcurrency = Math.min(LANES, concurrency);
  const batchSize = concurrency < MANY_SLOTS ? Math.ceil(concurrency / localConcurrency) : BATCH;
  const options = { localConcurrency, batchSize, burstWhenBatchFull: true };
  const limit = pLimit(concurrency);
  await boss.work<Work>(QUEUE, options, async (jobs) => {
    await Promise.all(jobs.map(({ data }) => limit(() => perform(data))));
  });
}

function openStore({ databaseUrl }: Places, boss: PgBoss): Store {
  const pool = connectPool(databaseUrl);
  const live = `from pgboss.job where name = '${QUEUE}' and state < 'completed'`;
  return {
    enqueueMany: async (works) => {
      for (let start = 0; start < works.length; start += CHUNK) {
        const jobs = works.slice(start, start + CHUNK).map((data) => ({ data }));
        await boss.insert(QUEUE, jobs);
      }
    },
    held: async () => {
      const { rows } = await pool.query<{ key: string }>(`select data->>'key' as key ${live}`);
      return rows.map(({ key }) => key);
    },
    count: async () => {
      const { rows } = await pool.query<{ count: number }>(`select count(*)::int as count ${live}`);
      return rows[0]?.count ?? 0;
    },
    empty: async () => {
      await boss.deleteAllJobs(QUEUE);
    },
    close: async () => {
      await boss.stop({ graceful: false });
      await pool.end();
    },
  };
}

export const pgBossDefaults = pgBoss('defaults');
export const pgBossFastest = pgBoss('fastest');
