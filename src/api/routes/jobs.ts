/**
 * Where the life of a job begins: a request becomes a committed row.
 *
 * By the time a handler runs, the body was read within bounds (request-body.ts, batch-body.ts) and fits its schema (contract/job.ts). 202 waits for the
 * commit in Postgres, never for RabbitMQ; queue/enqueue.ts goes on from here.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Browser } from '#queue/browse.ts';
import type { Enqueuer } from '#queue/enqueue.ts';
import type { EnqueueRequest } from '#queue/new-job.ts';
import { InvalidInput } from '#shared/base/errors.ts';
import type { JobDefinition } from '#shared/job/job.ts';
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

export interface JobDependencies {
  browser: Browser;
  enqueuer: Enqueuer;
  definitions: ReadonlyMap<string, JobDefinition>;
  /** The queues of the application. */
  queues: readonly string[];
  /** What the bodies under way may hold. */
  bodies: BodyBudget;
}

export function registerJobs(
  app: OpenAPIHono,
  { browser, enqueuer, definitions, queues, bodies }: JobDependencies,
): void {
  const presenter = createJobPresenter(definitions);

  app.post(
    enqueueRoute.path,
    jsonBody({ budget: bodies, maxBytes: MAX_JOB_BYTES, maxValues: MAX_JOB_VALUES, maxDepth: MAX_JOB_DEPTH }),
  );
  app.openapi(enqueueRoute, async (c) => {
    const request = { ...toRequest(c.req.valid('json'), definitions), ...c.get('trace') };
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
      const trace = c.get('trace');
      const requests = jobs.map((job) => ({ ...toRequest(job, definitions), ...trace }));
      const ids = await enqueuer.enqueueBatch(requests, c.req.valid('header')['Idempotency-Key']);
      return c.json({ ids }, 202);
    }),
  );

  app.openapi(showRoute, async (c) => {
    const job = await browser.find(c.req.valid('param').id);
    return c.json({ job: presenter.present(job) }, 200);
  });

  app.openapi(listRoute, async (c) => {
    const { jobs, nextCursor } = await browser.list(c.req.valid('query'));
    return c.json({ jobs: jobs.map(presenter.presentListed), nextCursor }, 200);
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
