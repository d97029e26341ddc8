/**
 * Why a job cannot join its batch.
 */
import { Conflict } from '#shared/base/errors.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';

export function endedBatch({ rare }: NewJob): Conflict {
  return new Conflict(
    'batch_ended',
    `batch ${rare?.batch} has ended or was cancelled, or there is none: enqueue the job without it, or create another one`,
  );
}
