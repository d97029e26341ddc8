/**
 * Where the life of a job begins: a request becomes a committed row.
 *
 * By the time a handler runs, the body was read within bounds (request-body.ts, batch-body.ts) and fits its schema (contract/job.ts). 202 waits for the
 * commit in Postgres, never for RabbitMQ; queue/enqueue.ts goes on from here.
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
import {
  enqueueBatchHeadersRoute,
  enqueueBatchRoute,
  enqueueRoute,
  listRoute,
  MAX_BATCH_BYTES,
  MAX_JOB_BYTES,
  MAX_JOB_DEPTH,
  MAX_JOB_VALUES,
} from '../contract/job.ts';
import { explainRoute, logsRoute, showRoute } from '../contract/shown-job.ts';
import { assertBatch } from '../job-batch.ts';
import { createJobPresenter, presentExplanation } from '../job-presentation.ts';
import { toRequest } from '../job-request.ts';
import { bodyReader, jsonBody } from '../request-body.ts';

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

  app.post(
    enqueueRoute.path,
    jsonBody({ budget: bodies, maxBytes: MAX_JOB_BYTES, maxValues: MAX_JOB_VALUES, maxDepth: MAX_JOB_DEPTH }),
  );
  app.openapi(enqueueRoute, async (c) => {
    const request = { ...toRequest(c.req.valid('json'), definitions), ...c.get('trace') };
    const idempotencyKey = c.req.valid('header')['Idempotency-Key'];
    const { job, created, conflict } = await enqueuer.enqueue(request, idempotencyKey);
    c.header('location', `/v1/jobs/${job.id}`);
    const shown = presenter.present(job);
    return created ? c.json({ job: shown }, 202) : c.json({ job: shown, created, conflict }, 200);
  });

  const withBatch = bodyReader({ budget: bodies, maxBytes: MAX_BATCH_BYTES });
  app.openAPIRegistry.registerPath(enqueueBatchRoute);
  app.openapi(enqueueBatchHeadersRoute, (c) =>
    withBatch(c, async (bytes, reservation) => {
      const jobs = await readJobs(bytes, reservation);
      await assertBatch(jobs, { definitions, queues, hasMiddleware: enqueuer.hasMiddleware });
      const trace = traceOfEach(c.get('trace'), { jobs: jobs.length, reservation });
      const requests = jobs.map((job) => ({ ...toRequest(job, definitions), ...trace }));
      const ids = await enqueuer.enqueueBatch(requests, c.req.valid('header')['Idempotency-Key']);
      return c.json({ ids }, 202);
    }),
  );

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
