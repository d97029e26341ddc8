/**
 * Puts the jobs of a request under its idempotency key. The fingerprint tells whether a later request with the key is the same.
 */
import { createHash } from 'node:crypto';
import { Conflict, InvalidInput } from '#shared/base/errors.ts';
import { mapInSlices } from '#shared/base/slices.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';
import { findIdempotencyKey } from '#shared/postgres/statements/read.ts';

export function withIdempotency(job: NewJob, idempotencyKey: string | undefined): NewJob {
  if (idempotencyKey === undefined) return job;
  const fingerprint = createHash('sha256')
    .update(`[${write(job)}]`)
    .digest('base64');
  return { ...job, idempotencyKey, fingerprint };
}

/** What a request for a batch has beside its jobs. */
export interface BesideJobs {
  isOpen: boolean;
  callbacks: Readonly<Record<string, NewJob>>;
}

/** All jobs of one request, in slices. */
export async function withSharedIdempotency(
  jobs: readonly NewJob[],
  idempotencyKey: string | undefined,
  beside?: BesideJobs,
): Promise<readonly NewJob[]> {
  if (idempotencyKey === undefined) return jobs;
  const hash = createHash('sha256');
  await mapInSlices(jobs, (job, index) => hash.update(`${index === 0 ? '[' : ','}${write(job)}`));
  hash.update(']');
  if (beside !== undefined) {
    const callbacks = Object.entries(beside.callbacks).map(([name, job]) => `${name} ${write(job)}`);
    hash.update(JSON.stringify([beside.isOpen, callbacks.sort()]));
  }
  const fingerprint = hash.digest('base64');
  return jobs.map((job) => ({ ...job, idempotencyKey, fingerprint }));
}

/** Without the trace: a client that repeats a request may do so under another id. */
function write({ argsJson, trace, ...job }: NewJob): string {
  return JSON.stringify(job);
}

/** The ids of the jobs that the key of this one stands for. Throws `Conflict` and `InvalidInput`. */
export async function replayIds(
  database: Pick<Database, 'query'>,
  { idempotencyKey = '', fingerprint }: NewJob,
): Promise<string[]> {
  const record = await database.query((sql) => findIdempotencyKey(sql, idempotencyKey));
  if (record === undefined)
    throw new Conflict('idempotency_key_busy', 'the Idempotency-Key has just expired: try again');
  if (record.fingerprint !== fingerprint) {
    throw new InvalidInput('idempotency_key_reused', 'this Idempotency-Key was used for another request');
  }
  return record.jobIds;
}
