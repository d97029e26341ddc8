/**
 * The cancellation of one job by its id (acts.ts), and what a worker looks for of it in its own rows.
 */
import type { Sql } from '../database.ts';
import { byId, cancelJobs } from './acts.ts';

/** Longer than the deadline of any claim, in milliseconds. */
const ANSWER_LOST_AFTER_MS = 10_000;

/**
 * Cancels a waiting job at once; asks the owner of a running one to. Returns the state that it has now, or null where it has none of the
 * live states (or does not exist). Ask again until the owner has let go.
 */
export async function cancelJob(sql: Sql, id: string): Promise<'cancelled' | 'running' | null> {
  const [job] = await cancelJobs(sql, byId(sql, id));
  return (job?.state as 'cancelled' | 'running' | undefined) ?? null;
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
