/**
 * From the request for a batch to its commit: the application's middleware sees its jobs and its callbacks, then all is checked, then all is inserted or none.
 */
import { mapInSlices } from '#shared/base/slices.ts';
import type { App } from '#shared/job/app.ts';
import type { BatchCallbacks } from '#shared/job/batch.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';
import type { DepthLimits } from '../depth-limits.ts';
import { enqueueWithin } from '../enqueue-span.ts';
import type { KnownLimits } from '../gates/known-limits.ts';
import { withSharedIdempotency } from '../idempotency.ts';
import type { EnqueueRequest } from '../new-job.ts';
import { assertQueue, toNewJob } from '../new-job.ts';
import { refuseUnstorable } from '../unstorable.ts';
import type { InsertedBatch } from './insert-batch.ts';
import { insertWithJobs } from './insert-batch.ts';

export type BatchRequests = BatchCallbacks<EnqueueRequest>;

export interface BatchToCreate {
  open: boolean;
  callbacks: BatchRequests;
}

interface Parts {
  app: App;
  database: Database;
  depths: DepthLimits;
  limits: KnownLimits;
  encryption: Encryption | undefined;
  /** Whether messages can go out now. */
  ready: boolean;
}

export async function createBatch(
  { app, database, depths, limits, encryption, ready }: Parts,
  { open, callbacks }: BatchToCreate,
  requests: readonly EnqueueRequest[],
  idempotencyKey: string | undefined,
): Promise<InsertedBatch> {
  const names = Object.keys(callbacks) as (keyof BatchRequests)[];
  const all = [...requests, ...names.map((name) => callbacks[name] as EnqueueRequest)];
  const create = async (changed: readonly EnqueueRequest[]) => {
    for (const request of changed) assertQueue(app, request);
    await depths.enter(changed.slice(0, requests.length));
    await database.query((sql) => sql`select 1`); // the insert has a long deadline: this one tells in time that Postgres is away
    const made = await mapInSlices(changed, (request) => toNewJob(request, encryption));
    await limits.assertKnown(made);
    const after = Object.fromEntries(
      names.map((name, index) => [name, made[requests.length + index] as NewJob]),
    );
    const beside = { isOpen: open, callbacks: after };
    const jobs = await withSharedIdempotency(made.slice(0, requests.length), idempotencyKey, beside);
    const batch = { isOpen: open, ...after };
    const options = { byRelay: !ready, isOneRequest: true };
    return await insertWithJobs(database, { batch, jobs, options }).catch(refuseUnstorable);
  };
  if (all.length === 0) return await create([]);
  return await enqueueWithin(app, all, create, () => []);
}
