/**
 * The commit of a new batch: its row and its first jobs, in one transaction.
 */
import { Conflict } from '#shared/base/errors.ts';
import type { Database, Sql } from '#shared/postgres/database.ts';
import type { NewBatch } from '#shared/postgres/statements/batches.ts';
import { findKeyedBatch, insertBatch } from '#shared/postgres/statements/batches.ts';
import type { InsertedJob, InsertOptions } from '#shared/postgres/statements/insert.ts';
import { insertJobs } from '#shared/postgres/statements/insert.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';
import { replaceIdempotentJobs } from '#shared/postgres/statements/read.ts';
import { findOrInsert } from '../enqueue-in-transaction.ts';
import { replayIds } from '../idempotency.ts';
import { endedBatch } from './ended-batch.ts';

/** What 10 000 jobs may take, in milliseconds. */
export const TOGETHER_DEADLINE_MS = 10_000;

/** Ends the transaction: the request was made before. */
class UsedBefore extends Error {}

/** `jobs` and `rows` are empty where the idempotency key was used before: the batch is that of then. */
export interface InsertedBatch {
  id: string;
  /** Of its jobs, in their order; of one whose unique key another job holds, that one's. */
  ids: string[];
  jobs: readonly NewJob[];
  rows: readonly InsertedJob[];
}

/** Throws `InvalidInput` and `Conflict` for an idempotency key that stands for something else, and what the insert throws. */
export async function insertWithJobs(
  database: Database,
  { batch, jobs, options }: { batch: NewBatch; jobs: readonly NewJob[]; options: InsertOptions },
): Promise<InsertedBatch> {
  try {
    return await database.transaction(async (sql) => {
      const id = await insertBatch(sql, batch);
      const members = jobs.map((job) => ({ ...job, rare: { ...job.rare, batch: id } }));
      const rows = members.length === 0 ? [] : await insertJobs(sql, members, options);
      if (rows[0]?.outcome === 'known') throw new UsedBefore();
      return { id, ids: await settle(sql, members, rows), jobs: members, rows };
    }, TOGETHER_DEADLINE_MS);
  } catch (error) {
    const [first] = jobs;
    if (!(error instanceof UsedBefore) || first === undefined) throw error;
    const ids = await replayIds(database, first);
    const { idempotencyKey = '' } = first;
    const id = await database.query((sql) => findKeyedBatch(sql, idempotencyKey));
    if (id !== undefined) return { id, ids, jobs: [], rows: [] };
    throw new Conflict('idempotency_key_spent', 'the batch of this Idempotency-Key is no longer kept');
  }
}

/** The ids of the jobs: those whose unique keys were held are what the conflict has made of them, or are inserted where the key is free again. */
async function settle(sql: Sql, jobs: readonly NewJob[], rows: readonly InsertedJob[]): Promise<string[]> {
  const ids = rows.map(({ id }) => id);
  for (const [index, { outcome }] of rows.entries()) {
    if (outcome !== 'duplicate') continue;
    const { job } = await findOrInsert(sql, { ...(jobs[index] as NewJob), idempotencyKey: undefined });
    ids[index] = job.id;
  }
  const [{ idempotencyKey } = {} as NewJob] = jobs;
  if (idempotencyKey !== undefined && rows.some(({ outcome }) => outcome === 'duplicate'))
    await replaceIdempotentJobs(sql, idempotencyKey, ids);
  return ids;
}

/** Jobs of one request, some of which belong to a batch: where one of these has ended, none is inserted. Throws `Conflict` then. */
export async function insertAllOrNone(
  database: Database,
  jobs: readonly NewJob[],
  options: InsertOptions,
): Promise<InsertedJob[]> {
  if (jobs.every(({ rare }) => rare?.batch === undefined))
    return await database.query((sql) => insertJobs(sql, jobs, options), TOGETHER_DEADLINE_MS);
  return await database.transaction(async (sql) => {
    const rows = await insertJobs(sql, jobs, options);
    const refused = jobs[rows.findIndex(({ outcome }) => outcome === 'ended-batch')];
    if (refused !== undefined) throw endedBatch(refused);
    return rows;
  }, TOGETHER_DEADLINE_MS);
}
