/**
 * Batches for people and programs: enqueued together, looked at as one.
 */
import type { OpenAPIHono, z } from '@hono/zod-openapi';
import type { Batches } from '#queue/batches/batches.ts';
import type { Enqueuer } from '#queue/enqueue.ts';
import type { Batch } from '#shared/job/batch.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import { readNewBatch } from '../batch-body.ts';
import type { BodyBudget } from '../body-budget.ts';
import { traceOfEach } from '../carried-trace.ts';
import type { batchSchema, CreatedBatch } from '../contract/batch.ts';
import {
  batchesRoute,
  batchRoute,
  cancelBatchRoute,
  closeBatchRoute,
  createBatchRoute,
} from '../contract/batch.ts';
import type { NewJobBody } from '../contract/job.ts';
import { MAX_BATCH_BYTES } from '../contract/job.ts';
import { assertBatch } from '../job-batch.ts';
import { toRequest } from '../job-request.ts';
import { bodyReader } from '../request-body.ts';
import { idempotencyKeyOf } from '../valid-request.ts';

export interface BatchDependencies {
  batches: Batches;
  enqueuer: Pick<Enqueuer, 'hasMiddleware'>;
  definitions: ReadonlyMap<string, JobDefinition>;
  queues: readonly string[];
  bodies: BodyBudget;
}

export function registerBatches(
  app: OpenAPIHono,
  { batches, enqueuer, definitions, queues, bodies }: BatchDependencies,
): void {
  const withBody = bodyReader({ budget: bodies, maxBytes: MAX_BATCH_BYTES });
  app.openAPIRegistry.registerPath(createBatchRoute);
  app.post(createBatchRoute.path, (c) => {
    const idempotencyKey = idempotencyKeyOf(c);
    return withBody(c, async (bytes, reservation) => {
      const { jobs, open, ...callbacks } = await readNewBatch(bytes, reservation);
      await assertBatch(jobs, { definitions, queues, hasMiddleware: enqueuer.hasMiddleware });
      const trace = traceOfEach(c.get('trace'), { jobs: jobs.length, reservation });
      const request = (body: NewJobBody) => ({ ...toRequest(body, definitions), ...trace });
      const optional = (body: NewJobBody | undefined) => (body === undefined ? undefined : request(body));
      const { batch, ids } = await batches.create(
        {
          jobs: jobs.map(request),
          open,
          onFirstFailure: optional(callbacks.onFirstFailure),
          onSuccess: optional(callbacks.onSuccess),
          onEnd: optional(callbacks.onEnd),
        },
        idempotencyKey,
      );
      c.header('location', `/v1/batches/${batch.id}`);
      return c.json({ ...present(batch), ids } satisfies CreatedBatch, 202);
    });
  });

  app.openapi(batchesRoute, async (c) => {
    const { batches: listed, nextCursor } = await batches.list(c.req.valid('query'));
    return c.json({ batches: listed.map(withTimes), nextCursor }, 200);
  });
  app.openapi(batchRoute, async (c) => c.json(present(await batches.find(c.req.valid('param').id)), 200));
  app.openapi(closeBatchRoute, async (c) =>
    c.json(present(await batches.close(c.req.valid('param').id)), 200),
  );
  app.openapi(cancelBatchRoute, async (c) =>
    c.json(present(await batches.cancel(c.req.valid('param').id)), 200),
  );
}

function present(batch: Batch): z.infer<typeof batchSchema> {
  return withTimes(batch);
}

function withTimes<Told extends Pick<Batch, 'createdAt' | 'finishedAt'>>({
  createdAt,
  finishedAt,
  ...batch
}: Told) {
  return {
    ...batch,
    createdAt: createdAt.toISOString(),
    finishedAt: finishedAt?.toISOString() ?? null,
  };
}
