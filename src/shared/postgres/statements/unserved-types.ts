/**
 * Waiting jobs that no living worker runs, by queue and type: the leader notes them, everybody may read the notes. Must not know RabbitMQ.
 */
import type { Sql } from '../database.ts';
import { mayServeAll, servedTypes, unpublishedTypes } from './parts.ts';
import { MAX_COUNTED } from './read.ts';

/** From then on it is told: a worker that only starts again is back sooner. In milliseconds. */
const TOLD_AFTER_MS = 600_000;
/** Pairs of a queue and a type that are noted. Anybody can write any type into a row. */
const MAX_NOTED = 100;

/** Jobs of a type that no living worker runs in their queue. */
export interface UnservedType {
  queue: string;
  type: string;
  /** Counted up to 100 000. */
  jobs: number;
  since: Date;
}

/**
 * Brings the notes up to date, and returns those that stand for ten minutes or more. Goes from one pair to the next by index and counts only what
 * nobody runs (nothing, while a worker lives that has not told what it runs): what is delivered to a worker that does not know it is unpublished, the
 * rest waits in queues that nobody serves. Indexes: jobs_unpublished, jobs_available.
 */
export async function noteUnservedTypes(sql: Sql): Promise<UnservedType[]> {
  return await sql<UnservedType[]>`
    with recursive served as materialized (
      select queue, type from ${servedTypes(sql)} as served
    ),
    fleet as materialized (
      select ${mayServeAll(sql)} as may_serve_all
    ),
    ${unpublishedTypes(sql, sql`true`)},
    queues as (
      (select queue from warren.jobs where state = 'available' order by queue limit 1)
      union all
      select next.queue from queues, lateral (
        select queue from warren.jobs job where state = 'available' and job.queue > queues.queue order by queue limit 1
      ) as next
    ),
    waiting as (
      select queue, type, count(*)::int as jobs
      from (select queue, type from unpublished limit ${10 * MAX_NOTED}) as pair, lateral (
        select from warren.jobs job
        where state = 'available' and published_at is null and job.queue = pair.queue and job.type = pair.type
        limit ${MAX_COUNTED}
      ) as job
      where (queue, type) not in (select queue, type from served) and queue in (select queue from served)
        and not (select may_serve_all from fleet)
      group by queue, type
      union all
      select queues.queue, job.type, count(*)::int as jobs
      from queues, lateral (
        select type from warren.jobs job where state = 'available' and job.queue = queues.queue limit ${MAX_COUNTED}
      ) as job
      where queues.queue not in (select queue from served) and not (select may_serve_all from fleet)
      group by queues.queue, job.type
      order by jobs desc limit ${MAX_NOTED}
    ),
    ended as (
      delete from warren.unserved_types where (queue, type) not in (select queue, type from waiting)
    ),
    noted as (
      insert into warren.unserved_types (queue, type, jobs) select queue, type, jobs from waiting
      on conflict (queue, type) do update set jobs = excluded.jobs
      returning queue, type, jobs, since
    )
    select queue, type, jobs, since from noted where since <= now() - ${TOLD_AFTER_MS} * interval '1 ms'`;
}

/** The notes that stand for ten minutes or more, as the leader wrote them last. */
export async function findUnservedTypes(sql: Sql): Promise<UnservedType[]> {
  return await sql<UnservedType[]>`
    select queue, type, jobs, since from warren.unserved_types
    where since <= now() - ${TOLD_AFTER_MS} * interval '1 ms' order by queue, type`;
}
