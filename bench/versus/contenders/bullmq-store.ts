// BullMQ's own book of a queue, the same on Redis and on Postgres.
import type { Store, Work } from '../contender.ts';
import { QUEUE } from '../contender.ts';
import { describeError } from '../programs/describe-error.ts';

const LIVE = ['waiting', 'active', 'delayed', 'prioritized'] as const;
const CHUNK = 5_000;

interface BullmqQueue {
  on(event: 'error', listener: (error: Error) => void): unknown;
  addBulk(jobs: { name: string; data: Work }[]): Promise<unknown>;
  getJobs(
    types: (typeof LIVE)[number][],
    start: number,
    end: number,
  ): Promise<({ data: Work } | undefined)[]>;
  getJobCountByTypes(...types: (typeof LIVE)[number][]): Promise<number>;
  close(): Promise<void>;
}

export function openQueue(
  queue: BullmqQueue,
  { empty, close }: { empty: () => Promise<void>; close: () => Promise<void> },
): Store {
  queue.on('error', describeError);
  return {
    enqueueMany: async (works) => {
      for (let start = 0; start < works.length; start += CHUNK) {
        await queue.addBulk(works.slice(start, start + CHUNK).map((data) => ({ name: QUEUE, data })));
      }
    },
    held: async () => {
      const jobs = await queue.getJobs([...LIVE], 0, -1);
      return jobs.flatMap((job) => (job === undefined ? [] : [job.data.key]));
    },
    count: async () => await queue.getJobCountByTypes(...LIVE),
    empty,
    close: async () => {
      await queue.close();
      await close();
    },
  };
}
