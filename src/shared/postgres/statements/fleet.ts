/**
 * The workers as people look at them: who is there, what each runs; and that one is asked to end. One statement each.
 */
import type { Sql } from '../database.ts';
import { notify } from '../notices.ts';
import { isBeating } from './parts.ts';

/** Jobs that are named of a worker. */
const MAX_NAMED_JOBS = 20;

export interface StoredWorker {
  /** Its number while it lives. */
  id: string;
  name: string;
  app: string | null;
  version: string | null;
  isBeating: boolean;
  /** It drains, or was asked to. */
  isDraining: boolean;
  isLeader: boolean;
  lane: 'rabbitmq' | 'postgres' | null;
  /** How many jobs it runs at once at most, by queue that it serves. */
  slots: Record<string, number>;
  running: number;
  /** Some of them, in the order of their starts. */
  jobs: { id: string; type: string; queue: string; attempt: number; startedAt: string }[];
  startedAt: Date;
  beatAt: Date;
  loopDelayMs: number | null;
  memoryBytes: number | null;
}

/** Those who have been heard of within a minute. Index: jobs_running. */
export async function findWorkers(sql: Sql): Promise<StoredWorker[]> {
  return await sql<StoredWorker[]>`
    select worker.owner::text as id, worker.name, worker.app, worker.version, ${isBeating(sql)} as "isBeating",
      worker.draining or worker.drain_requested_at is not null as "isDraining",
      exists (select from warren.leadership led where led.owner = worker.owner and led.until > now()) as "isLeader",
      worker.lane, coalesce(worker.slots, '{}') as slots, held.running, held.jobs, worker.started_at as "startedAt", worker.beat_at as "beatAt",
      worker.loop_delay_ms as "loopDelayMs", worker.memory_bytes::float8 as "memoryBytes"
    from warren.workers worker, lateral (
      select count(*)::int as running, coalesce(jsonb_agg(jsonb_build_object(
          'id', id::text, 'type', type, 'queue', queue, 'attempt', attempt, 'startedAt', started_at) order by started_at, id)
        filter (where place <= ${MAX_NAMED_JOBS}), '[]') as jobs
      from (
        select id, type, queue, attempt, started_at, row_number() over (order by started_at, id) as place
        from warren.jobs job where state = 'running' and job.owner = worker.owner
      ) as its
    ) as held
    where worker.beat_at > now() - interval '1 min'
    order by worker.name, worker.owner`;
}

/** Asks the worker to take no more jobs and end; it is told. Returns whether such a worker lives. */
export async function requestDrain(sql: Sql, id: string): Promise<boolean> {
  const rows = await sql`
    with asked as (
      update warren.workers set drain_requested_at = coalesce(drain_requested_at, now())
      where owner = ${id}::text::bigint and ${isBeating(sql)} returning owner
    )
    select ${notify(sql, { kind: 'drain' })} from asked`;
  return rows.length > 0;
}
