/**
 * Ends the jobs that nobody may start any more: what has not started by the time at which it expires, and what waits for another attempt when its time
 * over all attempts has run out. Bounded statements.
 */
import type { Trace } from '../../job/trace.ts';
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';
import { areClaimsOpen, withError } from './parts.ts';
import { change, gatesOf, may } from './states.ts';

export interface LateJob {
  id: string;
  type: string;
  queue: string;
  trace: Trace | null;
  /** The error in its history. */
  error: string;
  /** Where others may go on now; null for a plain job. */
  gates: string[] | null;
}

/** The end of a statement whose term `ended` has these jobs: they leave their places at their gates, so that no order stops at a job which has not failed. */
function leavePlaces(sql: Sql): Fragment {
  return sql`left_places as (
      delete from warren.passes pass using ended
      where pass.job_id = ended.id and pass.gate in (select jsonb_array_elements_text(ended.gates))
    )
    select * from ended`;
}

/** Discards what has expired. None while a crash of Postgres may have undone a claim: its handler may run. Index: jobs_expiring. */
export async function expireJobs(sql: Sql, limit: number): Promise<LateJob[]> {
  return await sql<LateJob[]>`
    with late as (
      select id from warren.jobs where expires_at <= now() and started_at is null and ${may(sql, 'expire')}
      order by expires_at limit ${limit} for update skip locked
    ),
    ended as (
      update warren.jobs job set ${change(sql, 'expire')}, finished_at = now(), held_for = null, held_rank = null,
        errors = ${withError(sql, sql`'expired: it was not started by ' || to_json(expires_at)`)}
      from late where job.id = late.id and ${areClaimsOpen(sql)}
      returning job.id, type, queue, trace - 'baggage' as trace, errors -> -1 ->> 'message' as error, ${gatesOf(sql)} as gates
    ),
    ${leavePlaces(sql)}`;
}

/** Discards what has overrun its time over all attempts. As `expireJobs`. Index: jobs_overdue. */
export async function endOverrunJobs(sql: Sql, limit: number): Promise<LateJob[]> {
  return await sql<LateJob[]>`
    with late as (
      select id from warren.jobs where deadline_at <= now() and ${may(sql, 'overrun')}
      order by deadline_at limit ${limit} for update skip locked
    )
    update warren.jobs job set ${change(sql, 'overrun')}, finished_at = now(), held_for = null, held_rank = null,
      errors = ${withError(sql, sql`'timeout: its time over all attempts ran out at ' || to_json(deadline_at)`)}
    from late where job.id = late.id and ${areClaimsOpen(sql)}
    returning job.id, type, queue, trace - 'baggage' as trace, errors -> -1 ->> 'message' as error, ${gatesOf(sql)} as gates`;
}
