// graphile-worker: with its defaults, and batched as its page on performance has it (local queue of 500, completions batched without delay).
// https://worker.graphile.org/docs/performance. A locked job is free again after 4 hours in either.
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import type { Contender, Places, Store, Work } from '../contender.ts';
import { QUEUE } from '../contender.ts';
import { connectPool } from './node-postgres.ts';

const CHUNK = 10_000;
const LOCAL_QUEUE = 500;

/** Its default prints a line per job; nobody else here does. */
const logger = new Logger(() => (level, message) => {
  if (level === 'error' || level === 'warning') process.stderr.write(`${level}: ${message}\n`);
});

function graphileWorker(mode: 'defaults' | 'batched'): Contender {
  const isBatched = mode === 'batched';
  const batching = isBatched
    ? { localQueue: { size: LOCAL_QUEUE }, completeJobBatchDelay: 0, failJobBatchDelay: 0 }
    : {};
  return {
    name: isBatched ? 'graphile-worker-batched' : 'graphile-worker',
    title: isBatched ? 'graphile-worker, batched' : 'graphile-worker',
    durability: 'fsync of the commit before the answer',
    recovery: 'locks are free after 4 h',
    servers: ['postgres'],
    prepare: async ({ databaseUrl }) => {
      const utils = await makeWorkerUtils({ connectionString: databaseUrl, logger });
      await utils.migrate();
      await utils.release();
    },
    open,
    connect: async ({ databaseUrl }) => {
      const utils = await makeWorkerUtils({ connectionString: databaseUrl, logger });
      return { enqueue: async (work) => (await utils.addJob(QUEUE, work)).id };
    },
    work: async ({ databaseUrl }, { concurrency, perform }) => {
      const runner = await run({
        preset: {
          worker: {
            logger,
            connectionString: databaseUrl,
            concurrentJobs: concurrency,
            maxPoolSize: Math.max(10, concurrency + 2),
            ...batching,
          },
        },
        taskList: { [QUEUE]: async (payload) => await perform(payload as Work) },
      });
      await runner.promise; // rejects where it gives up: the process ends, as its documentation has it
    },
  };
}

async function open({ databaseUrl }: Places): Promise<Store> {
  const pool = connectPool(databaseUrl);
  const utils = await makeWorkerUtils({ pgPool: pool, logger });
  return {
    enqueueMany: async (works) => {
      for (let start = 0; start < works.length; start += CHUNK) {
        const jobs = works.slice(start, start + CHUNK).map((payload) => ({ identifier: QUEUE, payload }));
        await utils.addJobs(jobs);
      }
    },
    held: async () => {
      const { rows } = await pool.query<{ key: string }>(
        `select payload->>'key' as key from graphile_worker._private_jobs where attempts < max_attempts`,
      );
      return rows.map(({ key }) => key);
    },
    count: async () => {
      const { rows } = await pool.query<{ count: number }>(
        'select count(*)::int as count from graphile_worker._private_jobs where attempts < max_attempts',
      );
      return rows[0]?.count ?? 0;
    },
    empty: async () => {
      await pool.query('truncate graphile_worker._private_jobs');
    },
    close: async () => {
      await utils.release();
      await pool.end();
    },
  };
}

export const graphileDefaults = graphileWorker('defaults');
export const graphileBatched = graphileWorker('batched');
