/**
 * Enqueues in a transaction of the caller's: the jobs exist if and only if it commits. The relay publishes them then, told by a notice that goes out
 * with the commit.
 */

import type { Encryption } from '#shared/job/encryption.ts';
import type { Enqueued } from '#shared/job/job.ts';
import type { CallersClient } from '#shared/postgres/callers-client.ts';
import { queryThrough } from '#shared/postgres/callers-client.ts';
import type { InsertedJob } from '#shared/postgres/statements/insert.ts';
import { insertStatement } from '#shared/postgres/statements/insert.ts';
import { unknownLimitsStatement } from '#shared/postgres/statements/limits.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';
import type { HolderRow } from '#shared/postgres/statements/unique-holder.ts';
import { endedBatch } from './batches/ended-batch.ts';
import type { Wrapping } from './enqueue-span.ts';
import { enqueueWithin, unwrapped } from './enqueue-span.ts';
import { namesOf, unknownLimits } from './gates/known-limits.ts';
import type { EnqueueRequest, EnqueueRequests } from './new-job.ts';
import { toJob, toNewJob } from './new-job.ts';
import { MAX_UNIQUE_TRIES, settleConflict, unsettled } from './unique-conflict.ts';

/**
 * Resolves with what became of each request, in their order; for a job whose unique key a live job holds, with that one. Throws `InvalidInput` where
 * arguments do not fit, `Conflict` where a unique key changes hands too fast, and the server's error where the transaction has ended.
 */
export async function enqueueInTransaction<Inputs extends readonly unknown[]>(
  client: CallersClient,
  requests: EnqueueRequests<Inputs>,
  { app = unwrapped, encryption }: { app?: Wrapping; encryption?: Encryption | undefined } = {},
): Promise<Enqueued[]> {
  const enqueue = (traced: readonly EnqueueRequest[]) => enqueueAll(client, traced, encryption);
  return await enqueueWithin(app, requests, enqueue, (enqueued) => enqueued.map(({ job }) => job.id));
}

async function enqueueAll(
  client: CallersClient,
  requests: readonly EnqueueRequest[],
  encryption?: Encryption,
): Promise<Enqueued[]> {
  const jobs = await Promise.all(requests.map((request) => toNewJob(request, encryption)));
  await assertLimits(client, jobs);
  const rows = await insert(client, jobs);
  const enqueued: Enqueued[] = [];
  for (const [index, row] of rows.entries()) {
    const job = jobs[index] as NewJob;
    if (row.outcome === 'inserted') enqueued.push({ job: toJob(job, row), created: true });
    else if (row.outcome === 'ended-batch') throw endedBatch(job);
    else enqueued.push(await findOrInsert(client, job)); // one after the other: it is one connection
  }
  return enqueued;
}

async function assertLimits(client: CallersClient, jobs: readonly NewJob[]): Promise<void> {
  const names = namesOf(jobs);
  if (names.length === 0) return;
  const unknown = await queryThrough<{ name: string }>(client, unknownLimitsStatement(names));
  if (unknown.length > 0) throw unknownLimits(unknown.map(({ name }) => name));
}

/** What became of a job that was not inserted because its unique key was held: the holder, or the job itself where the key is free again. */
export async function findOrInsert(client: CallersClient, job: NewJob): Promise<Enqueued> {
  for (let tries = 0; tries < MAX_UNIQUE_TRIES; tries += 1) {
    const settled = await settleConflict((statement) => queryThrough<HolderRow>(client, statement), job);
    if (settled !== undefined) return settled;
    const [row] = await insert(client, [job]); // it has ended meanwhile
    if (row?.outcome === 'inserted') return { job: toJob(job, row), created: true };
  }
  throw unsettled(job);
}

async function insert(client: CallersClient, jobs: readonly NewJob[]): Promise<InsertedJob[]> {
  return await queryThrough<InsertedJob>(client, insertStatement(jobs, { byRelay: true }));
}
