/**
 * Where the life of a job begins: a request becomes a committed row.
 *
 * A body is read within bounds (request-body.ts, batch-body.ts) and fits its schema (contract/job.ts) before anything is done with it. What enqueues registers
 * its contract for the document and the roles alone, and is checked in its handler: hono's validators cost too much there (valid-request.ts). 202 waits
 * for the commit in Postgres, never for RabbitMQ; queue/enqueue.ts goes on from here.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Browser } from '#queue/browse.ts';
import type { Enqueuer } from '#queue/enqueue.ts';
import type { Explain } from '#queue/explain/explain.ts';
import { watchToEnd } from '#queue/wait.ts';
import type { JobWatcher } from '#queue/watch.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import { readJobs } from '../batch-body.ts';
import type { BodyBudget } from '../body-budget.ts';
import { traceOfEach } from '../carried-trace.ts';
import type { EnqueueAnswer, EnqueueBatchAnswer } from '../contract/job.ts';
import {
  enqueueBatchRoute,
  enqueueRoute,
  listRoute,
  MAX_BATCH_BYTES,
  MAX_JOB_BYTES,
  MAX_JOB_DEPTH,
  MAX_JOB_VALUES,
  newJobSchema,
} from '../contract/job.ts';
import { explainRoute, logsRoute, showRoute } from '../contract/shown-job.ts';
import { assertBatch } from '../job-batch.ts';
import { createJobPresenter, presentExplanation } from '../job-presentation.ts';
import { toRequest } from '../job-request.ts';
import { bodyReader, jsonReader } from '../request-body.ts';
import { idempotencyKeyOf, validBody } from '../valid-request.ts';

export interface JobDependencies {
  browser: Browser;
  explain: Explain;
  watcher: Pick<JobWatcher, 'watch'>;
  /** Aborts when nobody may wait any longer: the process stops. */
  waiting: AbortSignal;
  enqueuer: Enqueuer;
  definitions: ReadonlyMap<string, JobDefinition>;
  /** Where people look at traces, with `{traceId}` in it. */
  traceUrlTemplate?: string | undefined;
  /** The queues of the application. */
  queues: readonly string[];
  /** What the bodies under way may hold. */
  bodies: BodyBudget;
}

export function registerJobs(app: OpenAPIHono, dependencies: JobDependencies): void {
  const { browser, explain, watcher, waiting, enqueuer } = dependencies;
  const { definitions, traceUrlTemplate, queues, bodies } = dependencies;
  const presenter = createJobPresenter({ definitions, traceUrlTemplate });
  const findAtEnd = async (id: string, { timeoutMs, signal }: { timeoutMs: number; signal: AbortSignal }) => {
    if (timeoutMs === 0) return await browser.find(id);
    const ends = AbortSignal.any([signal, waiting]);
    return (await watchToEnd(watcher, id, { timeoutMs, signal: ends })) ?? (await browser.find(id));
  };

  const withJob = jsonReader({
    budget: bodies,
    maxBytes: MAX_JOB_BYTES,
    maxValues: MAX_JOB_VALUES,
    maxDepth: MAX_JOB_DEPTH,
  });
  app.openAPIRegistry.registerPath(enqueueRoute);
  app.post(enqueueRoute.path, (c) =>
    withJob(c, async (value) => {
      const idempotencyKey = idempotencyKeyOf(c);
      const body = validBody(newJobSchema, value);
      const request = { ...toRequest(body, definitions), ...c.get('trace') };
      const { job, created, conflict } = await enqueuer.enqueue(request, idempotencyKey);
      const shown = presenter.present(job);
      return created
        ? answerJob(202, job.id, { job: shown })
        : answerJob(200, job.id, { job: shown, created, conflict });
    }),
  );

  const withBatch = bodyReader({ budget: bodies, maxBytes: MAX_BATCH_BYTES });
  app.openAPIRegistry.registerPath(enqueueBatchRoute);
  app.post(enqueueBatchRoute.path, (c) => {
    const idempotencyKey = idempotencyKeyOf(c);
    return withBatch(c, async (bytes, reservation) => {
      const jobs = await readJobs(bytes, reservation);
      await assertBatch(jobs, { definitions, queues, hasMiddleware: enqueuer.hasMiddleware });
      const trace = traceOfEach(c.get('trace'), { jobs: jobs.length, reservation });
      const requests = jobs.map((job) => ({ ...toRequest(job, definitions), ...trace }));
      const ids = await enqueuer.enqueueBatch(requests, idempotencyKey);
      return c.json({ ids } satisfies EnqueueBatchAnswer, 202);
    });
  });

  app.openapi(showRoute, async (c) => {
    const { id } = c.req.valid('param');
    const { wait: seconds = 0 } = c.req.valid('query');
    const job = await findAtEnd(id, { timeoutMs: seconds * 1_000, signal: c.req.raw.signal });
    return c.json({ job: presenter.present(job) }, 200);
  });

  app.openapi(logsRoute, async (c) => c.json({ logs: await browser.logs(c.req.valid('param').id) }, 200));

  app.openapi(explainRoute, async (c) =>
    c.json(presentExplanation(await explain(c.req.valid('param').id)), 200),
  );

  app.openapi(listRoute, async (c) => {
    const { jobs, nextCursor } = await browser.list(c.req.valid('query'));
    return c.json({ jobs: jobs.map(presenter.presentListed), nextCursor }, 200);
  });
}

/**
 * Headers that are a plain object are written as they are. Hono's own (`c.header`) would be made into a `Headers`, checked and read again: an eighth of the
 * API's time for the request. So what a middleware has given to `c.header` before its `next` is not in this answer.
 */
function answerJob(status: 200 | 202, id: string, answer: EnqueueAnswer): Response {
  return new Response(JSON.stringify(answer), {
    status,
    headers: { 'content-type': 'application/json', location: `/v1/jobs/${id}` },
  });
}
