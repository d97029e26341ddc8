/**
 * What people do to jobs and queues that exist, each with all that follows from it: cancel (its end is told of, or its worker lets go), retry (it is
 * published), pause and resume.
 *
 * Guarantees: what is answered has been committed; the change is made by one statement, which refuses where the state forbids it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Conflict, NotFound } from '#shared/base/errors.ts';
import { parseId } from '#shared/base/row-id.ts';
import type { Job } from '#shared/job/job.ts';
import type { Publishable } from '#shared/job/publishable.ts';
import type { Events } from '#shared/observe/events.ts';
import { publishJobEnd } from '#shared/observe/job-end.ts';
import type { Database } from '#shared/postgres/database.ts';
import { isUniqueViolation } from '#shared/postgres/failures.ts';
import { cancelJob, retryJob } from '#shared/postgres/statements/control.ts';
import { pauseQueue, resumeQueue } from '#shared/postgres/statements/queues.ts';
import { findJobs } from '#shared/postgres/statements/read.ts';
import type { Outbox } from './outbox.ts';

/** How long a cancel waits for the worker to let go, and how often it asks, in milliseconds. */
const CANCEL_WAIT_MS = 1_000;
const CANCEL_INTERVAL_MS = 50;

/** Ids may be any text. All throw `NotFound`, and `Unavailable` where nobody can tell now. */
export interface Control {
  /**
   * Cancels a job that has not ended. Resolves with the job as it is then: `cancelled`, as it has ended meanwhile, or `running` where its handler has not
   * let go within a second (it will be cancelled when it does). Throws `Conflict` where it has ended.
   */
  cancel(id: string): Promise<Job>;
  /** Lets a job that has failed, was cancelled or waits to be retried run now. Throws `Conflict` where its state or its unique key forbids it. */
  retry(id: string): Promise<Job>;
  /** From now on no job of the queue is started; those that run go on. */
  pauseQueue(name: string): Promise<void>;
  resumeQueue(name: string): Promise<void>;
}

export interface ControlOptions {
  database: Database;
  events: Events;
  outbox: Pick<Outbox, 'publish'>;
  /** The queues of the application. */
  queues: readonly string[];
}

export function createControl({ database, events, outbox, queues }: ControlOptions): Control {
  return {
    cancel: async (id) => {
      assertId(id);
      const cancel = () => database.query((sql) => cancelJob(sql, id));
      let state = await cancel();
      if (state === null) throw forbidden(await findJob(database, id), 'cancelled');
      const deadline = performance.now() + CANCEL_WAIT_MS;
      while (state === 'running' && performance.now() < deadline) {
        await delay(CANCEL_INTERVAL_MS);
        state = await cancel(); // null: it has ended meanwhile
      }
      const job = await findJob(database, id);
      if (state === 'cancelled') publishJobEnd(events, job, { state }); // one that ran is told of by its worker
      return job;
    },
    retry: async (id) => {
      assertId(id);
      const publishable = await retry(database, id);
      if (publishable === null) throw forbidden(await findJob(database, id), 'retried');
      void outbox.publish([publishable]); // never throws; the relay repeats what fails
      return await findJob(database, id);
    },
    pauseQueue: async (name) => {
      assertQueue(name, queues);
      await database.query((sql) => pauseQueue(sql, name));
    },
    resumeQueue: async (name) => {
      assertQueue(name, queues);
      await database.query((sql) => resumeQueue(sql, name));
    },
  };
}

async function retry(database: Database, id: string): Promise<Publishable | null> {
  try {
    return await database.query((sql) => retryJob(sql, id));
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new Conflict('unique_key_held', 'another live job holds its unique key');
  }
}

function forbidden({ id, state }: Job, verb: 'cancelled' | 'retried'): Conflict {
  return new Conflict('state_forbids', `job ${id} is ${state} and cannot be ${verb}`);
}

async function findJob(database: Database, id: string): Promise<Job> {
  const [job] = await database.query((sql) => findJobs(sql, [id]));
  if (job === undefined) throw noSuchJob();
  return job;
}

function assertId(id: string): void {
  if (parseId(id) === null) throw noSuchJob();
}

function noSuchJob(): NotFound {
  return new NotFound('there is no such job');
}

function assertQueue(name: string, queues: readonly string[]): void {
  if (!queues.includes(name)) throw new NotFound(`there is no such queue: there are ${queues.join(', ')}`);
}
