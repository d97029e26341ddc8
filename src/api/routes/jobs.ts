/**
 * Where the life of a job begins: a request becomes a committed row.
 *
 * By the time a handler runs, the body was read within bounds (request-body.ts, batch-body.ts) and fits its schema (contract/job.ts). 202 waits for the
 * commit in Postgres, never for RabbitMQ; queue/enqueue.ts goes on from here.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import { HTTPException } from 'hono/http-exception';
import type { Enqueuer } from '#queue/enqueue.ts';
import { createLookup } from '#queue/lookup.ts';
import type { EnqueueRequest } from '#queue/new-job.ts';
import { InvalidInput } from '#shared/base/errors.ts';
import { parseId } from '#shared/base/row-id.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { Database } from '#shared/postgres/database.ts';
import { listJobs } from '#shared/postgres/statements/list.ts';
import { findJobs } from '#shared/postgres/statements/read.ts';
import { readBatch } from '../batch-body.ts';
import type { BodyBudget } from '../body-budget.ts';
import type { NewJobBody } from '../contract/job.ts';
import {
  enqueueBatchHeadersRoute,
  enqueueBatchRoute,
  enqueueRoute,
  listRoute,
  MAX_BATCH_BYTES,
  MAX_JOB_BYTES,
  MAX_JOB_DEPTH,
  MAX_JOB_VALUES,
  showRoute,
} from '../contract/job.ts';
import { findBatchIssues } from '../job-batch.ts';
import { createJobPresenter } from '../job-presentation.ts';
import { bodyReader, jsonBody } from '../request-body.ts';

/** Jobs that are read with one statement. Two megabytes each at most, and two statements at once: the heap has room for that. */
const MAX_SHOWN_JOBS = 10;

export interface JobDependencies {
  database: Database;
  enqueuer: Enqueuer;
  definitions: ReadonlyMap<string, JobDefinition>;
  /** The queues of the application. */
  queues: readonly string[];
  /** What the bodies under way may hold. */
  bodies: BodyBudget;
}

export function registerJobs(
  app: OpenAPIHono,
  { database, enqueuer, definitions, queues, bodies }: JobDependencies,
): void {
  const presenter = createJobPresenter(definitions);
  const findJob = createLookup(database, findJobs, { maxRows: MAX_SHOWN_JOBS });

  app.post(
    enqueueRoute.path,
    jsonBody({ budget: bodies, maxBytes: MAX_JOB_BYTES, maxValues: MAX_JOB_VALUES, maxDepth: MAX_JOB_DEPTH }),
  );
  app.openapi(enqueueRoute, async (c) => {
    const request = toRequest(c.req.valid('json'), definitions);
    const idempotencyKey = c.req.valid('header')['Idempotency-Key'];
    const { job, created } = await enqueuer.enqueue(request, idempotencyKey);
    c.header('location', `/v1/jobs/${job.id}`);
    return c.json({ job: presenter.present(job) }, created ? 202 : 200);
  });

  const withBatch = bodyReader({ budget: bodies, maxBytes: MAX_BATCH_BYTES });
  app.openAPIRegistry.registerPath(enqueueBatchRoute);
  app.openapi(enqueueBatchHeadersRoute, (c) =>
    withBatch(c, async (bytes, reservation) => {
      const jobs = await readBatch(bytes, reservation);
      const issues = await findBatchIssues(jobs, { definitions, queues });
      if (issues.length > 0) throw new InvalidInput('invalid_jobs', 'no job was enqueued', issues);
      const requests = jobs.map((job) => toRequest(job, definitions));
      await database.query((sql) => sql`select 1`); // a batch has a long deadline: this one tells in time that Postgres is away
      const ids = await enqueuer.enqueueBatch(requests, c.req.valid('header')['Idempotency-Key']);
      return c.json({ ids }, 202);
    }),
  );

  app.openapi(showRoute, async (c) => {
    const { id } = c.req.valid('param');
    const job = parseId(id) === null ? undefined : await findJob(id);
    if (job === undefined) throw new HTTPException(404, { message: 'there is no such job' });
    return c.json({ job: presenter.present(job) }, 200);
  });

  app.openapi(listRoute, async (c) => {
    const { cursor, limit, ...filter } = c.req.valid('query');
    const before = cursor === undefined ? undefined : parseCursor(cursor);
    const jobs = await database.query((sql) => listJobs(sql, { ...filter, before, limit: limit + 1 }));
    const page = jobs.slice(0, limit);
    const nextCursor = jobs.length > limit ? (page.at(-1)?.id ?? null) : null;
    return c.json({ jobs: page.map(presenter.presentListed), nextCursor }, 200);
  });
}

/** The arguments are checked by the enqueuer, against the job type's schema. Throws `InvalidInput` where there is no such type. */
function toRequest(
  { type, ...options }: NewJobBody,
  definitions: ReadonlyMap<string, JobDefinition>,
): EnqueueRequest {
  const definition = definitions.get(type);
  if (definition !== undefined) return { definition, ...options };
  const known = [...definitions.keys()].join(', ');
  const issues = [{ detail: `there are ${known}`, pointer: '/type' }];
  throw new InvalidInput('unknown_type', 'no such job type is registered', issues);
}

/** A cursor is the last id of the page before. */
function parseCursor(cursor: string): string {
  const id = parseId(cursor);
  if (id !== null) return id;
  const issues = [{ detail: 'is not the nextCursor of a page', pointer: '/cursor' }];
  throw new InvalidInput('invalid_request', 'the cursor is malformed', issues);
}
