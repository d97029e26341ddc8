/**
 * Enqueues in a transaction of the caller's: the jobs exist if and only if it commits. The relay publishes them then, told by a notice that goes out
 * with the commit.
 */
import { Conflict } from '#shared/base/errors.ts';
import type { Enqueued } from '#shared/job/job.ts';
import type { CallersClient } from '#shared/postgres/callers-client.ts';
import { queryThrough } from '#shared/postgres/callers-client.ts';
import type { InsertedJob } from '#shared/postgres/statements/insert.ts';
import { insertStatement } from '#shared/postgres/statements/insert.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';
import type { HolderRow } from '#shared/postgres/statements/unique-holder.ts';
import { toHolder, uniqueHolderStatement } from '#shared/postgres/statements/unique-holder.ts';
import type { EnqueueRequests } from './new-job.ts';
import { toJob, toNewJob } from './new-job.ts';

const MAX_UNIQUE_TRIES = 5;

/**
 * Resolves with what became of each request, in their order; for a job whose unique key a live job holds, with that one. Throws `InvalidInput` where
 * arguments do not fit, `Conflict` where a unique key changes hands too fast, and the server's error where the transaction has ended.
 */
export async function enqueueInTransaction<Inputs extends readonly unknown[]>(
  client: CallersClient,
  requests: EnqueueRequests<Inputs>,
): Promise<Enqueued[]> {
  const jobs = await Promise.all(requests.map(toNewJob));
  const rows = await insert(client, jobs);
  const enqueued: Enqueued[] = [];
  for (const [index, row] of rows.entries()) {
    const job = jobs[index] as NewJob;
    if (row.outcome === 'inserted') enqueued.push({ job: toJob(job, row), created: true });
    else enqueued.push(await findOrInsert(client, job)); // one after the other: it is one connection
  }
  return enqueued;
}

async function findOrInsert(client: CallersClient, job: NewJob): Promise<Enqueued> {
  for (let tries = 0; tries < MAX_UNIQUE_TRIES; tries += 1) {
    const [holder] = await queryThrough<HolderRow>(
      client,
      uniqueHolderStatement(job.type, job.uniqueKey ?? ''),
    );
    if (holder !== undefined) return { job: toHolder(holder), created: false };
    const [row] = await insert(client, [job]); // it has ended meanwhile
    if (row?.outcome === 'inserted') return { job: toJob(job, row), created: true };
  }
  throw new Conflict(
    'unique_key_busy',
    `the unique key "${job.uniqueKey}" changes hands too fast: try again`,
  );
}

async function insert(client: CallersClient, jobs: readonly NewJob[]): Promise<InsertedJob[]> {
  return await queryThrough<InsertedJob>(client, insertStatement(jobs, { byRelay: true }));
}
