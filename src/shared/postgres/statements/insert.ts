/**
 * The insert of jobs, as text and values: it runs on a connection of ours as well as through whatever client a caller has in its transaction.
 *
 * Guarantees: all jobs or none; one statement; every time comes from the database's clock. Must not know RabbitMQ.
 */
import { target } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import { NOTICE_CHANNEL } from '../notices.ts';
import type { NewJob } from './new-rows.ts';
import { writeRows } from './new-rows.ts';
import { FAST_PATH_MS, FAST_PATH_PER_JOB_MS } from './parts.ts';
import { IS_LIVE } from './states.ts';

/** A statement for any client: `$1`, `$2`, … in this order, each of them once. */
export interface Statement {
  text: string;
  values: (string | number | boolean)[];
}

/** `duplicate`: a live job holds the unique key. `known`: the idempotency key was used before. In both cases nothing was inserted. */
export interface InsertedJob {
  id: string;
  outcome: 'inserted' | 'duplicate' | 'known';
  state: 'available' | 'scheduled' | null;
  /** Epoch milliseconds. */
  runAtMs: number | null;
  createdAtMs: number | null;
}

export interface InsertOptions {
  /** The caller will not publish the jobs, so the relay may at once. Defaults to false. */
  byRelay?: boolean;
  /** They came together and share their idempotency key. Defaults to false. */
  isOneRequest?: boolean;
}

/**
 * The scheduler is told of jobs that are due within a second: it looks for later ones by itself. The relay is told of jobs that are its own at once,
 * where it has none of their type to send already: under load it looks often, and a notice takes a lock that all commits with notices share.
 */
const NOTIFY = `
  case
    when exists (select from inserted where state = 'scheduled' and run_at < now() + interval '1 s')
      or (given.by_relay and exists (
        select from (select distinct queue, type from inserted where state = 'available') as fresh where not exists (
          select from warren.jobs job
          where state = 'available' and published_at is null and job.queue = fresh.queue and job.type = fresh.type and relay_at < now())))
    then pg_notify('${NOTICE_CHANNEL}', 'due')
  end`;

const INSERT = `
  with given as (
    select $1::text::jsonb as jobs, $2::boolean as by_relay, $3::float8 as fast_path_ms
  ),
  input as (
    select nextval('warren.jobs_id_seq') as id, job.*, by_relay, fast_path_ms,
      coalesce(job.run_at, now() + job.delay_ms * interval '1 ms', now()) as due_at
    from given, jsonb_to_recordset(given.jobs) as job(
      n int, type text, queue text, args jsonb, max_attempts int, run_at timestamptz, delay_ms float8,
      unique_key text, request int, key text, fingerprint text, trace jsonb)
  ),
  keyed as (
    insert into warren.idempotency_keys (key, fingerprint, job_ids)
    select key, fingerprint, array_agg(id order by n) from input where key is not null
    group by request, key, fingerprint order by key, request
    on conflict (key) do nothing
    returning job_ids
  ),
  inserted as (
    insert into warren.jobs (id, type, queue, args, args_bytes, max_attempts, run_at, unique_key, trace, state, relay_at)
    select id, type, queue, args, octet_length(args::text), max_attempts, due_at, unique_key, trace,
      case when due_at > now() then '${target('schedule')}' else '${target('enqueue')}' end,
      case when by_relay then now() else now() + fast_path_ms * interval '1 ms' end
    from input
    where key is null or id in (select unnest(job_ids) from keyed)
    order by type, unique_key, n -- one order for all: two groups with the same keys must not wait for each other
    on conflict (type, unique_key)
      where unique_key is not null and ${IS_LIVE}
      do nothing
    returning id, queue, type, state, run_at, created_at
  ),
  told as (
    select ${NOTIFY} from given
  )
  select input.id::text as "id", inserted.state as "state",
    extract(epoch from inserted.run_at)::float8 * 1000 as "runAtMs",
    extract(epoch from inserted.created_at)::float8 * 1000 as "createdAtMs",
    case
      when inserted.id is not null then 'inserted'
      when input.key is not null and input.id not in (select unnest(job_ids) from keyed) then 'known'
      else 'duplicate'
    end as "outcome",
    (select count(*) from told) as "told" -- which is what runs it
  from input left join inserted using (id)
  order by input.n`;

/** Answers with `InsertedJob`s, in the order of the jobs. Cost when chosen: three index entries per available job. */
export function insertStatement(
  jobs: readonly NewJob[],
  { byRelay = false, isOneRequest = false }: InsertOptions = {},
): Statement {
  const fastPathMs = FAST_PATH_MS + jobs.length * FAST_PATH_PER_JOB_MS;
  return { text: INSERT, values: [writeRows(jobs, { isOneRequest }), byRelay, fastPathMs] };
}

/** Inserts the jobs on a connection of ours, and returns what became of each, in their order. */
export async function insertJobs(
  sql: Sql,
  jobs: readonly NewJob[],
  options: InsertOptions = {},
): Promise<InsertedJob[]> {
  const { text, values } = insertStatement(jobs, options);
  return await sql.unsafe<InsertedJob[]>(text, values, { prepare: true });
}
