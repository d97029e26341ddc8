/**
 * Batches: rows that many jobs name. What has become of the jobs is counted from their rows; a batch has no counter that a crash could leave wrong.
 *
 * Guarantees: a batch ends once, and each callback is handed out once, by the one transaction that notes it. Must not know RabbitMQ.
 */
import type { BatchCallbacks } from '../../job/batch.ts';
import type { JobState } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import { NOTICE_CHANNEL } from '../notices.ts';
import type { NewJob } from './new-rows.ts';
import type { Fragment } from './parts.ts';
import { bigints } from './parts.ts';
import { isLive, may, stateAfter } from './states.ts';
import type { CancelledJob } from './waiting.ts';
import { cancelOfWaiting } from './waiting.ts';

export interface NewBatch extends BatchCallbacks<NewJob> {
  isOpen: boolean;
}

/** Returns its id. */
export async function insertBatch(
  sql: Sql,
  { isOpen, onFirstFailure, onSuccess, onEnd }: NewBatch,
): Promise<string> {
  const text = (job: NewJob | undefined) => {
    if (job === undefined) return null;
    const { argsJson, ...written } = job; // what a row cannot hold: how arguments are merged
    return JSON.stringify(argsJson === undefined ? written : { ...written, args: JSON.parse(argsJson) }); // which may be encrypted
  };
  const [row] = await sql<{ id: string }[]>`
    insert into warren.batches (is_open, on_first_failure, on_success, on_end)
    values (${isOpen}, ${text(onFirstFailure)}::text::jsonb, ${text(onSuccess)}::text::jsonb, ${text(onEnd)}::text::jsonb)
    returning id`;
  return row?.id ?? '';
}

/** A batch as its row and the rows of its jobs have it. */
export interface BatchRow {
  id: string;
  isOpen: boolean;
  isCancelRequested: boolean;
  createdAt: Date;
  finishedAt: Date | null;
  counts: Partial<Record<JobState, number>>;
}

/** Undefined where there is none. Counts its jobs, where it has not ended. Index: jobs_batch. */
export async function findBatch(sql: Sql, id: string): Promise<BatchRow | undefined> {
  const [row] = await sql<BatchRow[]>`
    select id, is_open as "isOpen", cancel_requested_at is not null as "isCancelRequested", created_at as "createdAt",
      finished_at as "finishedAt", coalesce(final_counts, ${countsOf(sql)}) as counts
    from warren.batches batch where id = ${id}::text::bigint`;
  return row;
}

/** A batch in a list. Its jobs are counted once it has ended. */
export interface ListedBatchRow extends Omit<BatchRow, 'counts'> {
  counts: BatchRow['counts'] | null;
}

/** Newest first, those before the id. By primary key; no job is looked at. */
export async function listBatches(
  sql: Sql,
  { before, limit }: { before: string | undefined; limit: number },
): Promise<ListedBatchRow[]> {
  return await sql<ListedBatchRow[]>`
    select id, is_open as "isOpen", cancel_requested_at is not null as "isCancelRequested", created_at as "createdAt",
      finished_at as "finishedAt", final_counts as counts
    from warren.batches where ${before === undefined ? sql`true` : sql`id < ${before}::text::bigint`}
    order by id desc limit ${limit}`;
}

/** The batch that was created with this idempotency key. Undefined where one of them is kept no longer. */
export async function findKeyedBatch(sql: Sql, key: string): Promise<string | undefined> {
  const [row] = await sql<{ id: string }[]>`
    select batch.id from warren.idempotency_keys keyed join warren.batches batch on batch.id = keyed.batch_id
    where keyed.key = ${key}`;
  return row?.id;
}

/** Lets it end as soon as its jobs have. False where there is none that is open. */
export async function closeBatch(sql: Sql, id: string): Promise<boolean> {
  const { count } = await sql`
    update warren.batches set is_open = false where id = ${id}::text::bigint and finished_at is null`;
  return count > 0;
}

/** Notes that it is to be cancelled, and closes it: from the commit on no job joins it. False where there is none that has not ended. */
export async function askToCancelBatch(sql: Sql, id: string): Promise<boolean> {
  const { count } = await sql`
    update warren.batches set is_open = false, cancel_requested_at = coalesce(cancel_requested_at, now())
    where id = ${id}::text::bigint and finished_at is null`;
  return count > 0;
}

/** Cancels waiting jobs of the batch, at most `limit`; what is locked is just being claimed, and left. Index: jobs_batch. */
export async function cancelWaitingMembers(sql: Sql, id: string, limit: number): Promise<CancelledJob[]> {
  return await sql<CancelledJob[]>`
    with waiting as (
      select id from warren.jobs where batch_id = ${id}::text::bigint and ${may(sql, 'cancel')}
      limit ${limit} for update skip locked
    )
    ${cancelOfWaiting(sql)}`;
}

/** Asks the owners of the batch's running jobs to let go; what is locked is just being recorded, and left. Index: jobs_batch. */
export async function askRunningMembers(sql: Sql, id: string): Promise<void> {
  await sql`
    with running as (
      select id from warren.jobs
      where batch_id = ${id}::text::bigint and ${may(sql, 'askToCancel')} and cancel_requested_at is null
      for update skip locked
    ),
    asked as (
      update warren.jobs job set cancel_requested_at = now() from running where job.id = running.id
      returning job.id
    )
    select pg_notify(${NOTICE_CHANNEL}, 'cancel:' || id) from asked`;
}

/** Whether a job of the batch lives that nobody has asked to stop. Index: jobs_batch. */
export async function hasUnaskedMembers(sql: Sql, id: string): Promise<boolean> {
  const [row] = await sql<{ has: boolean }[]>`
    select exists (
      select from warren.jobs where batch_id = ${id}::text::bigint and ${isLive(sql)} and cancel_requested_at is null
    ) as has`;
  return row?.has === true;
}

/** Of these batches those of which something has become that nobody has noted yet. Two looks into jobs_batch for each. */
export async function findRipeBatches(sql: Sql, ids: readonly string[]): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    select id from warren.batches batch
    where id = any(${bigints(ids)}::text::bigint[]) and finished_at is null
      and ((failed_at is null and ${hasFailed(sql)}) or (not is_open and not ${hasLive(sql)}))`;
  return rows.map(({ id }) => id);
}

/**
 * Notes what has become of these batches, and returns the jobs that are to be enqueued for it, in the same transaction. A batch that somebody is adding to
 * just now is left: look again. Two statements, so that the second sees what was committed before the rows were locked.
 */
export async function noteBatches(
  sql: Sql,
  ids: readonly string[],
): Promise<{ callbacks: NewJob[]; left: string[] }> {
  const locked = await sql<{ id: string }[]>`
    select id from warren.batches where id = any(${bigints(ids)}::text::bigint[]) and finished_at is null
    order by id for update skip locked`;
  const held = locked.map(({ id }) => id);
  const rows = await sql<
    { id: string; failed: NewJob | null; succeeded: NewJob | null; ended: NewJob | null }[]
  >`
    with looked as (
      select id, failed_at is null and ${hasFailed(sql)} as fails, not is_open and not ${hasLive(sql)} as ends
      from warren.batches batch where id = any(${bigints(held)}::text::bigint[])
    ),
    noted as (
      update warren.batches batch
      set failed_at = case when looked.fails then now() else failed_at end, finished_at = case when looked.ends then now() end,
        final_counts = case when looked.ends then ${countsOf(sql)} end
      from looked where batch.id = looked.id and (looked.fails or looked.ends)
      returning batch.id, looked.fails, looked.ends, on_first_failure, on_success, on_end, final_counts
    )
    select id, case when fails then on_first_failure end as failed, case when ends then on_end end as ended,
      case when ends and final_counts - ${stateAfter(sql, 'complete')} = '{}' then on_success end as succeeded
    from noted`;
  const callbacks = rows.flatMap(({ id, failed, succeeded, ended }) =>
    [failed, succeeded, ended].flatMap((job) =>
      job === null ? [] : [{ ...job, rare: { ...job.rare, callbackOf: id } }],
    ),
  );
  const isHeld = new Set(held);
  return { callbacks, left: ids.filter((id) => !isHeld.has(id)) };
}

/** Deletes batches that ended longer ago. Returns how many, at most `limit`. Index: batches_finished_at. */
export async function pruneBatches(
  sql: Sql,
  { keptMs, limit }: { keptMs: number; limit: number },
): Promise<number> {
  const { count } = await sql`
    delete from warren.batches where id = any(array(
      select id from warren.batches where finished_at < now() - ${keptMs} * interval '1 ms'
      order by finished_at limit ${limit}))`;
  return count;
}

const hasLive = (sql: Sql): Fragment =>
  sql`exists (select from warren.jobs where batch_id = batch.id and ${isLive(sql)})`;
const hasFailed = (sql: Sql): Fragment =>
  sql`exists (select from warren.jobs where batch_id = batch.id and state = 'discarded')`;
const countsOf = (sql: Sql): Fragment => sql`coalesce((
    select jsonb_object_agg(state, jobs) from (
      select state, count(*)::int as jobs from warren.jobs where batch_id = batch.id group by state
    ) as counted
  ), '{}')`;
