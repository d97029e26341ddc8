/**
 * What people do to a job that exists: cancel it, run it again.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import type { Enqueuer } from '#queue/enqueue.ts';
import { Conflict } from '#shared/base/errors.ts';
import { parseId } from '#shared/base/row-id.ts';
import type { Job, JobDefinition } from '#shared/job/job.ts';
import { publishJobEnd } from '#shared/observe/job-end.ts';
import type { Database } from '#shared/postgres/database.ts';
import { isUniqueViolation } from '#shared/postgres/failures.ts';
import { cancelJob, retryJob } from '#shared/postgres/statements/control.ts';
import type { Publishable } from '#shared/postgres/statements/jobs.ts';
import { findJobs } from '#shared/postgres/statements/read.ts';
import { cancelRoute, retryRoute } from '../contract/job.ts';
import { createJobPresenter } from '../job-presentation.ts';

/** How long a cancel waits for the worker to let go, and how often it asks, in milliseconds. */
const CANCEL_WAIT_MS = 1_000;
const CANCEL_INTERVAL_MS = 50;

export interface JobControlDependencies {
  database: Database;
  enqueuer: Enqueuer;
  definitions: ReadonlyMap<string, JobDefinition>;
}

export function registerJobControl(
  app: OpenAPIHono,
  { database, enqueuer, definitions }: JobControlDependencies,
): void {
  const presenter = createJobPresenter(definitions);
  app.openapi(cancelRoute, async (c) => {
    const id = existingId(c.req.valid('param').id);
    let state = await database.query((sql) => cancelJob(sql, id));
    if (state === null) throw endedJob(await findJob(database, id), 'cancelled');
    const deadline = performance.now() + CANCEL_WAIT_MS;
    while (state === 'running' && performance.now() < deadline) {
      await delay(CANCEL_INTERVAL_MS);
      state = await database.query((sql) => cancelJob(sql, id)); // null: it has ended meanwhile
    }
    const job = await findJob(database, id);
    if (state === 'cancelled') publishJobEnd(job, state); // one that ran is told of by its worker
    return c.json({ job: presenter.present(job) }, 200);
  });

  app.openapi(retryRoute, async (c) => {
    const id = existingId(c.req.valid('param').id);
    const publishable = await retry(database, id);
    if (publishable === null) throw endedJob(await findJob(database, id), 'retried');
    void enqueuer.publish([publishable]); // never throws; the relay repeats what fails
    return c.json({ job: presenter.present(await findJob(database, id)) }, 200);
  });
}

async function retry(database: Database, id: string): Promise<Publishable | null> {
  try {
    return await database.query((sql) => retryJob(sql, id));
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new Conflict('unique_key_held', 'another live job holds its unique key');
  }
}

function endedJob({ id, state }: Job, verb: 'cancelled' | 'retried'): Conflict {
  return new Conflict('state_forbids', `job ${id} is ${state} and cannot be ${verb}`);
}

async function findJob(database: Database, id: string): Promise<Job> {
  const [job] = await database.query((sql) => findJobs(sql, [id]));
  if (job === undefined) throw noSuchJob();
  return job;
}

function existingId(id: string): string {
  if (parseId(id) === null) throw noSuchJob();
  return id;
}

function noSuchJob(): HTTPException {
  return new HTTPException(404, { message: 'there is no such job' });
}
