/**
 * Puts the jobs of a request under its idempotency key. The fingerprint tells whether a later request with the key is the same. Pure.
 */
import { createHash } from 'node:crypto';
import { mapInSlices } from '#shared/base/slices.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';

export function withIdempotency(job: NewJob, idempotencyKey: string | undefined): NewJob {
  if (idempotencyKey === undefined) return job;
  const fingerprint = createHash('sha256')
    .update(`[${write(job)}]`)
    .digest('base64');
  return { ...job, idempotencyKey, fingerprint };
}

/** All jobs of one request, in slices. */
export async function withSharedIdempotency(
  jobs: readonly NewJob[],
  idempotencyKey: string | undefined,
): Promise<readonly NewJob[]> {
  if (idempotencyKey === undefined) return jobs;
  const hash = createHash('sha256');
  await mapInSlices(jobs, (job, index) => hash.update(`${index === 0 ? '[' : ','}${write(job)}`));
  const fingerprint = hash.update(']').digest('base64');
  return jobs.map((job) => ({ ...job, idempotencyKey, fingerprint }));
}

/** Without the trace: a client that repeats a request may do so under another id. */
function write({ argsJson, trace, ...job }: NewJob): string {
  return JSON.stringify(job);
}
