/**
 * What people do to queues while the programs run: they look at them, set channels, prefetch and depth, pause, resume and drain.
 *
 * Guarantees: what is answered has been committed; the workers are told at once, and read it with their next beat where they did not hear it.
 */
import { NotFound } from '#shared/base/errors.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { holdAdmission } from '#shared/postgres/statements/admit.ts';
import type { QueueChanges, StoredQueue } from '#shared/postgres/statements/queues.ts';
import { pauseQueue, resumeQueue, setQueue } from '#shared/postgres/statements/queues.ts';
import type { Browser, QueueOverview } from './browse.ts';
import type { DepthLimits } from './depth-limits.ts';
import { drainQueue } from './drain-queue.ts';

/** Names may be any text. All throw `NotFound`, and `Unavailable` where nobody can tell now. */
export interface QueueControl {
  /** All queues, with what waits and runs in them: those of the application in its order, then those of others. */
  list(): Promise<QueueOverview[]>;
  /**
   * Sets what is given, for every worker that serves the queue; null goes back to what its WORKER_QUEUES or the application says, and what is absent
   * stays. Where there are fewer channels than before, those that are too many do what they have. Resolves with all that is set.
   */
  set(name: string, settings: QueueChanges): Promise<StoredQueue>;
  /** From now on no job of the queue is started; those that run go on. */
  pause(name: string): Promise<void>;
  resume(name: string): Promise<void>;
  /**
   * Cancels what waits in the queue: jobs that could run, that have a time to come, that are held or are to be retried. Those that run are left, and so
   * are those that are enqueued from now on. Resolves with the number of jobs cancelled, after twenty seconds at most: more may be left then.
   */
  drain(name: string): Promise<number>;
}

export interface QueueControlOptions {
  database: Database;
  events: Events;
  /** Told where a limit is set. */
  depths: Pick<DepthLimits, 'forget'>;
  browser: Pick<Browser, 'queues'>;
  /** The queues of the application. */
  queues: readonly string[];
}

export function createQueueControl({
  database,
  events,
  depths,
  browser,
  queues,
}: QueueControlOptions): QueueControl {
  const assertQueue = (name: string) => {
    if (!queues.includes(name)) throw new NotFound(`there is no such queue: there are ${queues.join(', ')}`);
  };
  return {
    list: () => browser.queues(),
    set: async (name, settings) => {
      assertQueue(name);
      const stored = await database.query((sql) => setQueue(sql, name, settings));
      depths.forget();
      return stored;
    },
    pause: async (name) => {
      assertQueue(name);
      await database.query((sql) => pauseQueue(sql, name));
    },
    resume: async (name) => {
      assertQueue(name);
      await database.transaction(async (sql) => {
        await holdAdmission(sql); // one under way could still put a job at the gate of the pause, and one that comes now would pass it
        await resumeQueue(sql, name);
      });
    },
    drain: async (name) => {
      assertQueue(name);
      const cancelled = await drainQueue({ database, events }, name);
      depths.forget();
      return cancelled;
    },
  };
}
