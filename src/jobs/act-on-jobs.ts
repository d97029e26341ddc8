/**
 * `act-on-jobs`: retries, cancels, deletes, runs or edits all jobs that match a filter; what `POST /v1/jobs/bulk` enqueues.
 *
 * Goes on where an attempt before it has ended, at a bounded rate; its progress is the share of the ids that it has looked at. Cancelled, it stops between two
 * steps, and its output says how many jobs it has acted on.
 */
import { actOnMany } from '#queue/bulk/act-on-many.ts';
import { BULK_TYPE, bulkArguments } from '#queue/bulk/bulk-input.ts';
import type { ShippedJobContext } from '#shared/job/shipped-job-context.ts';
import { defineJob } from './define.ts';

const A_DAY_MS = 86_400_000;

export const actOnJobs = defineJob({
  type: BULK_TYPE,
  queue: 'default',
  args: bulkArguments,
  redact: ['set.argsJson'], // of another job type, which may hide some of them
  shared: true, // every application may have it, perhaps of another version of this package
  timeoutMs: A_DAY_MS,
  maxAttempts: 20,
  priority: 9, // what it acts on may be the backlog that it would wait behind
  perform: (args, context: ShippedJobContext) => actOnMany(args, context),
});
