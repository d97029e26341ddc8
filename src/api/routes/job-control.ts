/**
 * What people do to a job that exists: cancel it, run it again or now, change it while it waits, delete it; and any of these to all that match a filter.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Bulk } from '#queue/bulk/bulk.ts';
import { toBulkRequest } from '#queue/bulk/bulk.ts';
import type { Control } from '#queue/control.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import type { BodyBudget } from '../body-budget.ts';
import { bulkRoute } from '../contract/bulk.ts';
import { MAX_JOB_BYTES, MAX_JOB_DEPTH, MAX_JOB_VALUES } from '../contract/job.ts';
import { cancelRoute, deleteRoute, editRoute, retryRoute, runRoute } from '../contract/job-acts.ts';
import { createJobPresenter } from '../job-presentation.ts';
import { jsonBody } from '../request-body.ts';

/** As a new job: the arguments may be new. */
const LIMITS = { maxBytes: MAX_JOB_BYTES, maxValues: MAX_JOB_VALUES, maxDepth: MAX_JOB_DEPTH };
const BULK_LIMITS = { maxBytes: 16_384, maxValues: 200, maxDepth: 4 };

export interface JobControlDependencies {
  control: Control;
  bulk: Bulk;
  definitions: ReadonlyMap<string, JobDefinition>;
  /** Where people look at traces, with `{traceId}` in it. */
  traceUrlTemplate?: string | undefined;
  bodies: BodyBudget;
}

export function registerJobControl(
  app: OpenAPIHono,
  { control, bulk, definitions, traceUrlTemplate, bodies }: JobControlDependencies,
): void {
  const presenter = createJobPresenter({ definitions, traceUrlTemplate });
  app.openapi(cancelRoute, async (c) => {
    const job = await control.cancel(c.req.valid('param').id);
    return c.json({ job: presenter.present(job) }, 200);
  });

  app.post('/v1/jobs/:id/retry', jsonBody({ budget: bodies, ...LIMITS, isOptional: true }));
  app.openapi(retryRoute, async (c) => {
    const job = await control.retry(c.req.valid('param').id, c.req.valid('json'));
    return c.json({ job: presenter.present(job) }, 200);
  });

  app.openapi(runRoute, async (c) => {
    const job = await control.run(c.req.valid('param').id);
    return c.json({ job: presenter.present(job) }, 200);
  });

  app.patch('/v1/jobs/:id', jsonBody({ budget: bodies, ...LIMITS }));
  app.openapi(editRoute, async (c) => {
    const job = await control.edit(c.req.valid('param').id, c.req.valid('json'));
    return c.json({ job: presenter.present(job) }, 200);
  });

  app.post(bulkRoute.path, jsonBody({ budget: bodies, ...BULK_LIMITS }));
  app.openapi(bulkRoute, async (c) => {
    const answer = await bulk(toBulkRequest(c.req.valid('json')), c.get('trace'));
    if ('count' in answer) return c.json(answer, 200);
    c.header('location', `/v1/jobs/${answer.job.id}`);
    return c.json({ job: presenter.present(answer.job) }, 202);
  });

  app.openapi(deleteRoute, async (c) => {
    const job = await control.delete(c.req.valid('param').id);
    return c.json({ job: presenter.present(job) }, 200);
  });
}
