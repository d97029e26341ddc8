/**
 * A job as the contract shows it: these members and no others, whatever the row may hold besides.
 */
import type { z } from '@hono/zod-openapi';
import type { Job } from '#shared/job.ts';
import type { ListedJob } from '#shared/postgres/job-list.ts';
import type { jobSchema, listedJobSchema } from './contract/job.ts';

export function presentJob(job: Job): z.infer<typeof jobSchema> {
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
    output: job.output,
    errors: job.errors,
  };
}

/** As it stands in a list, with what was cut named where anything was. */
export function presentListedJob(job: ListedJob): z.infer<typeof listedJobSchema> {
  return job.truncated.length === 0 ? presentJob(job) : { ...presentJob(job), truncated: job.truncated };
}
