/**
 * Deletes what is kept no longer: jobs that have ended, and idempotency keys. Bounded statements; those on jobs wait for nobody.
 *
 * Jobs that have ended are found on a walk along the primary key, whose order is nearly that of their age. An index on the time of the end would cost
 * every job an entry on its hottest path; the walk costs no job anything.
 */
import type { Retention } from '../../job/job.ts';
import type { Sql } from '../database.ts';
import { hasEnded } from './states.ts';

export interface PruneOptions {
  /** Only jobs with a larger id are looked at. */
  after: string;
  /** How many are looked at. */
  limit: number;
  /** For job types without one of their own. */
  retention: Retention;
  byType: Readonly<Record<string, Retention>>;
}

/** How far a step of the walk came. */
export interface Pruned {
  deleted: number;
  /** The last id that was looked at; null at the end of the table. */
  last: string | null;
  /** Milliseconds since that job was created. */
  lastAgeMs: number;
}

/** One step of the walk: deletes, of the next jobs, those that ended longer ago than they are kept. What is locked is left for the next walk. By primary key. */
export async function pruneJobs(
  sql: Sql,
  { after, limit, retention, byType }: PruneOptions,
): Promise<Pruned> {
  const kept = JSON.stringify(byType);
  const [row] = await sql<Pruned[]>`
    with seen as materialized (
      select id, created_at, state, finished_at < now() - interval '1 ms' * cast(
        coalesce(${kept}::text::jsonb -> type, ${JSON.stringify(retention)}::text::jsonb) ->> state as float8) as is_over
      from warren.jobs where id > ${after}::text::bigint order by id limit ${limit}
    ),
    doomed as (
      select job.id from warren.jobs job
      where job.id = any(array(select id from seen where is_over and ${hasEnded(sql)}))
        and job.finished_at is not null -- nobody has retried it meanwhile
      for update skip locked
    ),
    gone as (
      delete from warren.jobs job using doomed where job.id = doomed.id returning job.id
    )
    select (select count(*)::float8 from gone) as deleted, max(id)::text as last,
      coalesce(extract(epoch from now() - max(created_at))::float8 * 1000, 0) as "lastAgeMs"
    from seen`;
  return row ?? { deleted: 0, last: null, lastAgeMs: 0 };
}

/** Forgets idempotency keys that are older. Returns how many, at most `limit`. Index: idempotency_keys_created_at. */
export async function pruneIdempotencyKeys(
  sql: Sql,
  { keptMs, limit }: { keptMs: number; limit: number },
): Promise<number> {
  const { count } = await sql`
    delete from warren.idempotency_keys where key = any(array(
      select key from warren.idempotency_keys where created_at < now() - ${keptMs} * interval '1 ms'
      order by created_at limit ${limit}))`;
  return count;
}
