/**
 * A job as the contract shows it: these members and no others, whatever the row may hold besides, and nothing that its type hides.
 */
import type { z } from '@hono/zod-openapi';
import type { Explanation } from '#queue/explain/explanation.ts';
import type { Job, JobDefinition } from '#shared/job/job.ts';
import type { ListedJob } from '#shared/job/listed-job.ts';
import { redactJob } from '#shared/job/redaction.ts';
import { toTraceUrl } from '#shared/settings/trace-url.ts';
import type { jobSchema, listedJobSchema } from './contract/job.ts';
import type { explanationSchema } from './contract/shown-job.ts';

export interface JobPresenter {
  present(job: Job): z.infer<typeof jobSchema>;
  /** As it stands in a list, with what was cut named where anything was. */
  presentListed(job: ListedJob): z.infer<typeof listedJobSchema>;
}

export interface JobPresenterOptions {
  definitions: ReadonlyMap<string, JobDefinition>;
  /** Where people look at traces (`TRACE_URL_TEMPLATE`). */
  traceUrlTemplate?: string | undefined;
}

export function createJobPresenter({ definitions, traceUrlTemplate }: JobPresenterOptions): JobPresenter {
  const present = (job: Job) => ({
    ...presentJob(redactJob(job, definitions.get(job.type))),
    ...(job.traceId ? presentTrace(job.traceId, traceUrlTemplate) : {}),
  });
  return {
    present,
    presentListed: (job) =>
      job.truncated.length === 0 ? present(job) : { ...present(job), truncated: job.truncated },
  };
}

export function presentExplanation({
  since,
  ...explanation
}: Explanation): z.infer<typeof explanationSchema> {
  return { ...explanation, since: since?.toISOString() ?? null };
}

function presentTrace(
  traceId: string,
  template: string | undefined,
): Pick<z.infer<typeof jobSchema>, 'traceId' | 'traceUrl'> {
  return template === undefined ? { traceId } : { traceId, traceUrl: toTraceUrl(template, traceId) };
}

function presentJob(job: Job): z.infer<typeof jobSchema> {
  return {
    id: job.id,
    type: job.type,
    queue: job.queue,
    state: job.state,
    args: job.args,
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    runAt: job.runAt.toISOString(),
    createdAt: job.createdAt.toISOString(),
    startedAt: job.startedAt?.toISOString() ?? null,
    finishedAt: job.finishedAt?.toISOString() ?? null,
    uniqueKey: job.uniqueKey,
    priority: job.priority,
    group: job.group,
    orderingKey: job.orderingKey,
    tags: job.tags,
    limits: job.limits,
    expiresAt: job.expiresAt?.toISOString() ?? null,
    batch: job.batch,
    output: job.output,
    errors: job.errors,
    ...(job.progress ? { progress: job.progress } : {}),
  };
}
