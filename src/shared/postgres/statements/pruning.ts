/**
 * Deletes what is kept no longer: jobs that have ended, idempotency keys, and unique keys that were held for some time. Bounded statements; those on jobs wait for nobody.
 *
 * Jobs that have ended are found on a walk along the primary key, whose order is nearly that of their age. An index on the time of the end would cost
 * every job an entry on its hottest path; the walk costs no job anything.
 */
import type { Retention } from '../../job/job.ts';
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';
import { bigints } from './parts.ts';
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
  /** The largest id of any job; 0 where there is none. */
  newest: number;
}

/** One step of the walk: deletes, of the next jobs, those that ended longer ago than they are kept. What is locked is left for the next walk. By primary key. */
export async function pruneJobs(sql: Sql, options: PruneOptions): Promise<Pruned> {
  const [row] = await sql<Pruned[]>`
    with ${nextOfWalk(sql, options)},
    doomed as (
      select job.id from warren.jobs job
      where job.id = any(array(select id from seen where is_over and ${hasEnded(sql)}))
        and job.finished_at is not null -- nobody has retried it meanwhile
        and not ${countsInBatch(sql)}
      for update skip locked
    ),
    gone as (
      delete from warren.jobs job using doomed where job.id = doomed.id returning job.id
    )
    select (select count(*)::float8 from gone) as deleted, max(id)::text as last,
      coalesce(extract(epoch from now() - max(created_at))::float8 * 1000, 0) as "lastAgeMs",
      ${newestId(sql)} as newest
    from seen`;
  return row ?? { deleted: 0, last: null, lastAgeMs: 0, newest: 0 };
}

/** A job that is kept no longer. */
export interface OverdueJob {
  id: string;
  type: string;
  /** To the microsecond, as Postgres writes it. */
  finishedAt: string;
  /** Of what it carries, as JSON text. */
  bytes: number;
}

/** The same step, which deletes nothing: what it would delete, and how far it came. By primary key. */
export async function findOverdueJobs(
  sql: Sql,
  options: PruneOptions,
): Promise<Omit<Pruned, 'deleted'> & { overdue: OverdueJob[] }> {
  const [row] = await sql<(Omit<Pruned, 'deleted'> & { overdue: OverdueJob[] })[]>`
    with ${nextOfWalk(sql, options)}
    select max(seen.id)::text as last,
      coalesce(extract(epoch from now() - max(seen.created_at))::float8 * 1000, 0) as "lastAgeMs", ${newestId(sql)} as newest,
      coalesce(jsonb_agg(jsonb_build_object('id', job.id::text, 'type', job.type, 'finishedAt', job.finished_at::text, 'bytes',
        octet_length(job.args::text) + coalesce(octet_length(job.output::text), 0) + octet_length(job.errors::text)) order by job.id)
        filter (where is_over and job.finished_at is not null and not ${countsInBatch(sql)}), '[]') as overdue
    from seen join warren.jobs job using (id)`;
  return row ?? { last: null, lastAgeMs: 0, newest: 0, overdue: [] };
}

/** Deletes those of the jobs that are as they were when they were found: one that was retried meanwhile stays. Returns how many. By primary key. */
export async function deleteOverdueJobs(
  sql: Sql,
  jobs: readonly Pick<OverdueJob, 'id' | 'finishedAt'>[],
): Promise<number> {
  const { count } = await sql`
    with doomed as (
      select job.id
      from jsonb_to_recordset(${JSON.stringify(jobs)}::text::jsonb) as given(id bigint, "finishedAt" timestamptz)
      join warren.jobs job on job.id = given.id and job.finished_at = given."finishedAt"
      where job.id = any(${bigints(jobs.map(({ id }) => id))}::text::bigint[]) and not ${countsInBatch(sql)}
      for update of job skip locked
    )
    delete from warren.jobs job using doomed where job.id = doomed.id`;
  return count;
}

/** A batch that runs counts its jobs from their rows. */
function countsInBatch(sql: Sql): Fragment {
  return sql`exists (select from warren.batches batch where batch.id = job.batch_id and batch.finished_at is null)`;
}

function newestId(sql: Sql): Fragment {
  return sql`(select coalesce(max(id), 0)::float8 from warren.jobs)`;
}

function nextOfWalk(sql: Sql, { after, limit, retention, byType }: PruneOptions): Fragment {
  return sql`seen as materialized (
    select id, created_at, state, finished_at < now() - interval '1 ms' * cast(
      coalesce(${JSON.stringify(byType)}::text::jsonb -> type, ${JSON.stringify(retention)}::text::jsonb) ->> state as float8) as is_over
    from warren.jobs where id > ${after}::text::bigint order by id limit ${limit}
  )`;
}

/** Forgets who held unique keys for a time that is over. Returns how many, at most `limit`. Index: unique_periods_until. */
export async function pruneUniquePeriods(sql: Sql, { limit }: { limit: number }): Promise<number> {
  const { count } = await sql`
    delete from warren.unique_periods held using (
      select type, key from warren.unique_periods where until < now() order by until limit ${limit} for update skip locked
    ) as over
    where held.type = over.type and held.key = over.key`;
  return count;
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

/**
 * Forgets places at gates whose job is gone: left behind by a process that died before it could give them up, at gates where nobody waits any more. Returns
 * the gates, at most `limit`, where starts of such jobs have still to be counted against a rate: the next admission there does that. Reads all places,
 * which are those of jobs that are available or running.
 */
export async function prunePlaces(sql: Sql, { limit }: { limit: number }): Promise<string[]> {
  const rows = await sql<{ gate: string }[]>`
    with orphaned as (
      select gate, job_id, gate like 'limit:%' and not started and exists (
        select from warren.limits where name = split_part(gate, ':', 2) and rate_count is not null) as counts
      from warren.passes pass where not exists (select from warren.jobs job where job.id = pass.job_id)
    ),
    forgotten as (
      delete from warren.passes pass using orphaned
      where pass.gate = orphaned.gate and pass.job_id = orphaned.job_id and not counts
    )
    select distinct gate from orphaned where counts limit ${limit}`;
  return rows.map(({ gate }) => gate);
}

/** Forgets what is known of rates that nobody has used for a day and that have their full burst again, as one of which nothing is known. Reads all of them. */
export async function pruneRates(sql: Sql): Promise<void> {
  await sql`
    delete from warren.gates where full_at_ms < extract(epoch from now() - interval '1 day') * 1000`;
}
