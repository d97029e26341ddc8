/**
 * The job that holds a unique key: found, locked, changed; as text and values for whatever client a caller has in its transaction. The answer is one
 * text, because clients differ in what they make of times and big numbers.
 *
 * Guarantees: only a job that waits is changed, by one statement that locks its row, so that a claim comes before the change or after it; none is while a
 * crash of Postgres may have undone its claim, because its handler may run.
 */
import type { Job, OnConflict } from '../../job/job.ts';
import type { Act } from '../../job/transitions.ts';
import { target, transition } from '../../job/transitions.ts';
import { NOTICE_CHANNEL } from '../notices.ts';
import type { Statement } from './insert.ts';
import type { NewJob } from './new-rows.ts';
import { toColumns } from './new-rows.ts';
import { IS_LIVE, isOneOf } from './states.ts';

/** As the condition of the index jobs_waiting_key has it. */
const NOT_STARTED = isOneOf(transition('expire').from);

/** As much as a job may have over HTTP, in bytes: arguments that are merged again and again would grow without end. */
export const MAX_MERGED_BYTES = 1_048_576;

export interface HolderRow {
  /** JSON of a job. */
  job: string;
  /** Whether both arguments, merged by their members, would be too large; where that was asked for. */
  tooLarge?: boolean;
}

/** Answers with at most one `HolderRow`: who holds the job's unique key. By the index of the key. */
export function holderStatement(job: NewJob): Statement {
  if (job.rare?.onConflict === 'merge' && job.rare.merge === undefined) {
    const text = `
      select ${JOB} as "job", not (${fits('job.args || given.args')}) as "tooLarge"
      from (select $1::text::jsonb as args) given, warren.jobs job where ${holds(job, 2)}`;
    return { text, values: [argsOf(job), ...keyOf(job)] };
  }
  return { text: `select ${JOB} as "job" from warren.jobs job where ${holds(job)}`, values: keyOf(job) };
}

/** The same, for the caller to change it in its transaction; none where it does not wait. */
export function lockHolderStatement(job: NewJob): Statement {
  const text = `
    select ${JOB} as "job" from warren.jobs job where ${holds(job)} and ${mayChange('replace')} for update`;
  return { text, values: keyOf(job) };
}

/**
 * Gives the waiting holder of the job's unique key the job's arguments and options. Answers with the holder as it is then, at most one `HolderRow`; with
 * none where it does not wait.
 */
export function changeHolderStatement(job: NewJob, onConflict: Exclude<OnConflict, 'keep'>): Statement {
  const values = [writeChange(job), ...keyOf(job)];
  if (onConflict === 'postpone') return { text: changeText(job, 'new.args', 'postpone'), values };
  if (onConflict === 'replace') return { text: changeText(job, 'new.args', 'replace'), values };
  const merged = 'job.args || new.args';
  return { text: changeText(job, merged, 'replace', `and ${fits(merged)}`), values };
}

export function toHolder({ job }: HolderRow): Job {
  const found = JSON.parse(job) as Record<keyof Job, unknown>;
  const time = (text: unknown) => (text === null ? null : new Date(text as string));
  return {
    ...(found as unknown as Job),
    runAt: new Date(found.runAt as string),
    createdAt: new Date(found.createdAt as string),
    startedAt: time(found.startedAt),
    finishedAt: time(found.finishedAt),
    expiresAt: time(found.expiresAt),
  };
}

/** `rareColumns` for a client that wants text. */
const JOB = `
  jsonb_build_object('id', job.id::text, 'type', type, 'queue', queue, 'state', state, 'args', job.args,
    'attempt', attempt, 'maxAttempts', job.max_attempts, 'runAt', job.run_at, 'createdAt', created_at,
    'startedAt', started_at, 'finishedAt', finished_at, 'uniqueKey', coalesce(unique_key, waiting_key, period_key),
    'priority', job.priority, 'group', group_key, 'orderingKey', ordering_key, 'tags', coalesce(to_jsonb(job.tags), '[]'),
    'limits', coalesce(to_jsonb(limits), '[]'), 'expiresAt', job.expires_at, 'batch', batch_id::text, 'output', output, 'errors', errors
  )::text`;

/** True for the job that holds the key of a type, each as its index has it. The type is the value `$first`, the key the next one. */
function holds({ rare }: NewJob, first = 1): string {
  const type = `$${first}::text`;
  const key = `$${first + 1}::text`;
  if (rare?.period !== undefined)
    return `job.id = (select held.job_id from warren.unique_periods held where held.type = ${type} and held.key = ${key} and held.until > now())`;
  if (rare?.waitingKey !== undefined)
    return `type = ${type} and waiting_key = ${key} and started_at is null and ${NOT_STARTED}`;
  return `type = ${type} and unique_key = ${key} and ${IS_LIVE}`;
}

function keyOf({ type, uniqueKey, rare }: NewJob): string[] {
  return [type, rare?.period?.key ?? rare?.waitingKey ?? uniqueKey ?? ''];
}

function mayChange(act: Act): string {
  return `${isOneOf(transition(act).from, "(job.state || '')")} and exists (select from warren.claims_open)`;
}

function writeChange(job: NewJob): string {
  const { maxAttempts: max_attempts, runAt: run_at, delayMs: delay_ms, trace } = job;
  const row = JSON.stringify({ max_attempts, run_at, delay_ms, trace, ...toColumns(job.rare ?? {}) });
  return `${row.slice(0, -1)},"args":${argsOf(job)}}`;
}

function argsOf({ args, argsJson }: NewJob): string {
  return argsJson ?? JSON.stringify(args);
}

function fits(args: string): string {
  return `octet_length((${args})::text) <= ${MAX_MERGED_BYTES}`;
}

/** Where a job waits (its queue, its gates) stays as it is; so does its time, unless it is postponed. The fence rises with the time: its message is spent. */
function changeText(job: NewJob, args: string, act: 'replace' | 'postpone', condition = ''): string {
  const dueAt = `coalesce(new.run_at, now() + new.delay_ms * interval '1 ms', now())`;
  const runAt = act === 'postpone' ? dueAt : 'job.run_at';
  const moved = `, state = '${target('postpone')}', run_at = ${dueAt}, fence = job.fence + 1, published_at = null, held_for = null, held_rank = null`;
  const ranked = `, held_rank = case when held_for like 'order:%' then held_rank when held_for is not null then 9 - coalesce(new.priority, 0) end`;
  const told = `case when job.run_at < now() + interval '1 s' then pg_notify('${NOTICE_CHANNEL}', 'due') end`;
  return `
    update warren.jobs job
    set args = ${args}, args_bytes = octet_length((${args})::text), max_attempts = greatest(new.max_attempts, job.attempt + 1),
      priority = coalesce(new.priority, 0), tags = new.tags, trace = new.trace,
      expires_at = coalesce(new.expires_at, ${runAt} + new.expires_ms * interval '1 ms'),
      deadline_at = ${runAt} + new.total_ms * interval '1 ms'
      ${act === 'postpone' ? moved : ranked}
    from jsonb_to_record($1::text::jsonb) as new(args jsonb, max_attempts int, run_at timestamptz, delay_ms float8, trace jsonb,
      priority smallint, tags text[], expires_at timestamptz, expires_ms float8, total_ms float8)
    where ${holds(job, 2)} and ${mayChange(act)} ${condition}
    returning ${JOB} as "job"${act === 'postpone' ? `, ${told} as "told"` : ''}`;
}
