/**
 * The changes of state that people ask for: cancel, retry. One function per change, one statement each.
 */

import type { Publishable } from '../../job/publishable.ts';
import type { Sql } from '../database.ts';
import { notify } from '../notices.ts';
import { FAST_PATH_MS } from './parts.ts';
import { change, may, stateAfter } from './states.ts';

/** Longer than the deadline of any claim, in milliseconds. */
const ANSWER_LOST_AFTER_MS = 10_000;

/**
 * Cancels a waiting job at once; asks the owner of a running one to. Returns the state that it has now, or null where it has none of the
 * live states (or does not exist). Ask again until the owner has let go.
 */
export async function cancelJob(sql: Sql, id: string): Promise<'cancelled' | 'running' | null> {
  const [row] = await sql<{ state: 'cancelled' | 'running' }[]>`
    update warren.jobs
    set state = case when ${may(sql, 'cancel')} then ${stateAfter(sql, 'cancel')} else state end,
      finished_at = case when ${may(sql, 'cancel')} then now() end,
      cancel_requested_at = coalesce(cancel_requested_at, now())
    where id = ${id}::text::bigint and (${may(sql, 'cancel')} or ${may(sql, 'askToCancel')})
    returning state, case when ${may(sql, 'askToCancel')} then ${notify(sql, { kind: 'cancel', jobId: id })} end as told`;
  return row?.state ?? null;
}

/** A running job of a worker, as its row has it. */
export interface OwnJob {
  id: string;
  isCancelRequested: boolean;
  /** Since its claim, long enough for the claim's answer to have come or to have been lost. */
  isSettled: boolean;
}

/** This worker's running jobs: what a missed notice, or a lost answer to a claim, would have told. Index: jobs_running. */
export async function findOwnJobs(sql: Sql, owner: string): Promise<OwnJob[]> {
  return await sql<OwnJob[]>`
    select id, cancel_requested_at is not null as "isCancelRequested",
      started_at < now() - ${ANSWER_LOST_AFTER_MS} * interval '1 ms' as "isSettled"
    from warren.jobs where state = 'running' and owner = ${owner}::text::bigint`;
}

/** Makes a failed, cancelled or waiting-to-retry job available now, with at least one attempt left. Null where its state forbids it. */
export async function retryJob(sql: Sql, id: string): Promise<Publishable | null> {
  const [row] = await sql<Publishable[]>`
    update warren.jobs
    set ${change(sql, 'retry')}, run_at = now(), finished_at = null, cancel_requested_at = null, published_at = null,
      relay_at = now() + ${FAST_PATH_MS} * interval '1 ms', max_attempts = greatest(max_attempts, attempt + 1)
    where id = ${id}::text::bigint and ${may(sql, 'retry')}
    returning id, type, queue, fence`;
  return row ?? null;
}
