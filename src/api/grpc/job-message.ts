/**
 * A job as `warren.v1.Job` shows it: what the contract of HTTP shows, in the words of protobuf. Pure.
 */
import type { z } from '@hono/zod-openapi';
import type { jobSchema } from '../contract/job.ts';
import type { TimestampMessage } from './contract.ts';

/** `job`: as job-presentation.ts shows it, without what its type hides. */
export function toJobMessage({ output, progress, ...job }: z.infer<typeof jobSchema>): object {
  return {
    ...job,
    state: enumName('JOB_STATE', job.state),
    args: JSON.stringify(job.args),
    runAt: toTimestamp(job.runAt),
    createdAt: toTimestamp(job.createdAt),
    startedAt: toTimestamp(job.startedAt),
    finishedAt: toTimestamp(job.finishedAt),
    expiresAt: toTimestamp(job.expiresAt),
    ...(output !== null && output !== undefined && { output: JSON.stringify(output) }),
    ...(progress !== undefined && { progress: { ...progress, at: toTimestamp(progress.at) } }),
    errors: job.errors.map((error) => ({ ...error, at: toTimestamp(error.at) })),
  };
}

/** `JOB_STATE_COMPLETED` */
export function enumName(prefix: string, value: string): string {
  return `${prefix}_${value.toUpperCase()}`;
}

function toTimestamp(instant: string | null): TimestampMessage | null {
  if (instant === null) return null;
  const ms = Date.parse(instant);
  const seconds = Math.floor(ms / 1_000);
  return { seconds, nanos: (ms - seconds * 1_000) * 1_000_000 };
}
