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

/**
 * `duplicate`: a live job holds the unique key. `known`: the idempotency key was used before. `ended-batch`: its batch has ended or was cancelled, or there is none. In all
 * three cases the job was not inserted.
 */
export interface InsertedJob {
  id: string;
  outcome: 'inserted' | 'duplicate' | 'known' | 'ended-batch';
  state: 'available' | 'scheduled' | 'held' | null;
  /** Epoch milliseconds. */
  runAtMs: number | null;
  createdAtMs: number | null;
  /** Left out where no job of the statement has rare members, as the next one. */
  expiresAtMs?: number | null;
  /** The gate at which a held job waits. */
  heldFor?: string | null;
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
const notice = (more: typeof RARE) => `
  case
    when exists (select from inserted where state = 'scheduled' and run_at < now() + interval '1 s')
      or (given.by_relay and exists (
        select from (select distinct queue, type from inserted where state = 'available') as fresh where not exists (
          select from warren.jobs job
          where state = 'available' and published_at is null and job.queue = fresh.queue and job.type = fresh.type and relay_at < now())))
      ${more.told}
    then pg_notify('${NOTICE_CHANNEL}', 'due')
  end`;

/** The first gate of a job, and its place there: as `warren.first_gate` and `warren.rank_at` have it. */
const FIRST_GATE = `coalesce('order:' || queue || ':' || ordering_key, 'limit:' || limits[1], 'group:' || queue || ':' || group_key)`;

/**
 * What the statement has beside the plain one where a job has rare members. Most statements do not, and are spared all of it. Keys that are held for some
 * time come first, so that two statements with the same keys do not wait for each other.
 */
const RARE = {
  keyed: ['', ''],
  given: `, priority smallint, group_key text, ordering_key text, tags text[], limits text[], expires_at timestamptz,
      expires_ms float8, total_ms float8, waiting_key text, period_key text, period_ms float8,
      batch_id bigint, callback_of bigint`,
  terms: `
  periods as (
    insert into warren.unique_periods as held (type, key, job_id, until)
    select distinct on (type, period_key) type, period_key, id, now() + period_ms * interval '1 ms' from input
    where period_key is not null and (key is null or id in (select unnest(job_ids) from keyed))
    order by type, period_key, n
    on conflict (type, key) do update set job_id = excluded.job_id, until = excluded.until where held.until <= now()
    returning job_id
  ),`,
  columns: `, priority, group_key, ordering_key, tags, limits, expires_at, deadline_at, waiting_key, period_key, batch_id, callback_of, held_for, held_rank`,
  values: `, coalesce(priority, 0), group_key, ordering_key, tags, limits,
      coalesce(expires_at, due_at + expires_ms * interval '1 ms'), due_at + total_ms * interval '1 ms', waiting_key, period_key, batch_id, callback_of,
      case when due_at <= now() then ${FIRST_GATE} end,
      case when due_at <= now() and ${FIRST_GATE} is not null
        then case when ordering_key is null then 9 - coalesce(priority, 0) else 0 end end`,
  gated: `when ${FIRST_GATE} is not null then '${target('hold')}'`,
  condition: `and (period_key is null or id in (select job_id from periods))`,
  order: `, waiting_key`,
  target: '',
  returning: `, expires_at, held_for`,
  told: `or (given.by_relay and exists (select from inserted where state = '${target('hold')}'))`,
  answer: `extract(epoch from inserted.expires_at)::float8 * 1000 as "expiresAtMs", inserted.held_for as "heldFor",`,
  refusal: '',
};

/**
 * And where a job belongs to a batch. Locked in share mode until the commit: whoever finds that the batch has no job left waits for this one, or this one for
 * him.
 */
const OF_BATCHES: typeof RARE = {
  ...RARE,
  keyed: [', batch_id', ', min(batch_id)'],
  terms: `${RARE.terms}
  open_batches as (
    select id from warren.batches
    where id = any(array(select batch_id from input where batch_id is not null)) and finished_at is null and cancel_requested_at is null
    order by id for share
  ),`,
  condition: `${RARE.condition} and (batch_id is null or batch_id in (select id from open_batches))`,
  refusal: `when input.batch_id is not null and input.batch_id not in (select id from open_batches) then 'ended-batch'`,
};

const PLAIN: typeof RARE = {
  keyed: ['', ''],
  given: '',
  terms: '',
  columns: '',
  values: '',
  gated: '',
  condition: '',
  order: '',
  target: `(type, unique_key) where unique_key is not null and ${IS_LIVE}`,
  returning: '',
  told: '',
  answer: '',
  refusal: '',
};

const insertText = (more: typeof RARE) => `
  with given as (
    select $1::text::jsonb as jobs, $2::boolean as by_relay, $3::float8 as fast_path_ms
  ),
  input as (
    select nextval('warren.jobs_id_seq') as id, job.*, by_relay, fast_path_ms,
      coalesce(job.run_at, now() + job.delay_ms * interval '1 ms', now()) as due_at
    from given, jsonb_to_recordset(given.jobs) as job(
      n int, type text, queue text, args jsonb, max_attempts int, run_at timestamptz, delay_ms float8,
      unique_key text, request int, key text, fingerprint text, trace jsonb${more.given})
  ),
  keyed as (
    insert into warren.idempotency_keys (key, fingerprint, job_ids${more.keyed[0]})
    select key, fingerprint, array_agg(id order by n)${more.keyed[1]} from input where key is not null
    group by request, key, fingerprint order by key, request
    on conflict (key) do nothing
    returning job_ids
  ),${more.terms}
  inserted as (
    insert into warren.jobs (id, type, queue, args, args_bytes, max_attempts, run_at, unique_key, trace, state, relay_at${more.columns})
    select id, type, queue, args, octet_length(args::text), max_attempts, due_at, unique_key, trace,
      case when due_at > now() then '${target('schedule')}' ${more.gated} else '${target('enqueue')}' end,
      case when by_relay then now() else now() + fast_path_ms * interval '1 ms' end${more.values}
    from input
    where (key is null or id in (select unnest(job_ids) from keyed)) ${more.condition}
    order by type, unique_key${more.order}, n -- one order for all: two groups with the same keys must not wait for each other
    on conflict ${more.target} do nothing
    returning id, queue, type, state, run_at, created_at${more.returning}
  ),
  told as (
    select ${notice(more)} from given
  )
  select input.id::text as "id", inserted.state as "state",
    extract(epoch from inserted.run_at)::float8 * 1000 as "runAtMs",
    extract(epoch from inserted.created_at)::float8 * 1000 as "createdAtMs", ${more.answer}
    case
      when inserted.id is not null then 'inserted'
      when input.key is not null and input.id not in (select unnest(job_ids) from keyed) then 'known'
      ${more.refusal}
      else 'duplicate'
    end as "outcome",
    (select count(*) from told) as "told" -- which is what runs it
  from input left join inserted using (id)
  order by input.n`;

const INSERT = insertText(PLAIN);
const INSERT_RARE = insertText(RARE);
const INSERT_OF_BATCHES = insertText(OF_BATCHES);

/** Answers with `InsertedJob`s, in the order of the jobs. Cost when chosen: three index entries per available job. */
export function insertStatement(
  jobs: readonly NewJob[],
  { byRelay = false, isOneRequest = false }: InsertOptions = {},
): Statement {
  const fastPathMs = FAST_PATH_MS + jobs.length * FAST_PATH_PER_JOB_MS;
  return {
    text: textFor(jobs),
    values: [writeRows(jobs, { isOneRequest }), byRelay, fastPathMs],
  };
}

function textFor(jobs: readonly NewJob[]): string {
  if (jobs.some(({ rare }) => rare?.batch !== undefined)) return INSERT_OF_BATCHES;
  return jobs.some(({ rare }) => rare !== undefined) ? INSERT_RARE : INSERT;
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
