/**
 * The commit of a new batch: its row and its first jobs, in one transaction.
 */
import { Conflict } from '#shared/base/errors.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { NewBatch } from '#shared/postgres/statements/batches.ts';
import { findBatchOf, insertBatch } from '#shared/postgres/statements/batches.ts';
import type { InsertedJob, InsertOptions } from '#shared/postgres/statements/insert.ts';
import { insertJobs } from '#shared/postgres/statements/insert.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';
import { replayIds } from '../idempotency.ts';
import { endedBatch } from './ended-batch.ts';

/** What 10 000 jobs may take, in milliseconds. */
export const TOGETHER_DEADLINE_MS = 10_000;

/** Ends the transaction: the request was made before. */
class UsedBefore extends Error {}

/** `jobs` and `rows` are empty where the idempotency key was used before: the batch is that of then. */
export interface InsertedBatch {
  id: string;
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
      return { id, ids: rows.map((row) => row.id), jobs: members, rows };
    }, TOGETHER_DEADLINE_MS);
  } catch (error) {
    const [first] = jobs;
    if (!(error instanceof UsedBefore) || first === undefined) throw error;
    const ids = await replayIds(database, first);
    const id = await database.query((sql) => findBatchOf(sql, ids[0] ?? '0'));
    if (id !== undefined) return { id, ids, jobs: [], rows: [] };
    throw new Conflict('idempotency_key_spent', 'the batch of this Idempotency-Key is no longer kept');
  }
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
