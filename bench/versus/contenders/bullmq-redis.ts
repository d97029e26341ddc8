// BullMQ on Redis, with the settings of its guide "Going to production": AOF, no eviction, an API that fails fast, workers that wait.
// https://docs.bullmq.io/guide/going-to-production. Lock and stalled check keep their defaults of 30 s.
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { Contender, Places, Store, Work } from '../contender.ts';
import { QUEUE } from '../contender.ts';
import { describeError } from '../programs/describe-error.ts';
import { openQueue } from './bullmq-store.ts';

function bullmqOnRedis(appendfsync: 'everysec' | 'always', durability: string): Contender {
  return {
    name: `bullmq-redis-${appendfsync}`,
    title: `BullMQ on Redis, AOF ${appendfsync === 'always' ? 'always' : 'every second'}`,
    durability,
    recovery: 'lock of 30 s, looked at every 30 s',
    appendfsync,
    servers: ['redis'],
    prepare: async () => {},
    open,
    connect: async ({ redisUrl }) => {
      const queue = new Queue(QUEUE, { connection: { url: redisUrl, enableOfflineQueue: false } });
      queue.on('error', describeError);
      await queue.waitUntilReady();
      return { enqueue: async (work) => (await queue.add(QUEUE, work)).id ?? '' };
    },
    work: async ({ redisUrl }, { concurrency, perform }) => {
      const connection = { url: redisUrl, maxRetriesPerRequest: null };
      const worker = new Worker<Work>(QUEUE, async ({ data }) => await perform(data), {
        connection,
        concurrency,
      });
      worker.on('error', describeError);
      await worker.waitUntilReady();
    },
  };
}

async function open({ redisUrl }: Places): Promise<Store> {
  const queue = new Queue<Work>(QUEUE, { connection: { url: redisUrl } });
  const redis = new Redis(redisUrl);
  redis.on('error', describeError);
  return openQueue(queue, {
    empty: async () => {
      await redis.flushall();
    },
    close: async () => redis.disconnect(),
  });
}

export const bullmqEverySecond = bullmqOnRedis(
  'everysec',
  'in memory and in the log; fsync once a second: a power cut may take the last second',
);
export const bullmqAlways = bullmqOnRedis('always', 'fsync of the log before the answer');

/** Its API looks orders up as Warren's does: what is left between the two is the way to enqueue. */
export const bullmqAlwaysGrouped: Contender = {
  ...bullmqAlways,
  name: 'bullmq-redis-always-grouped',
  title: 'BullMQ on Redis, AOF always, grouped lookup',
  lookup: 'grouped',
};
