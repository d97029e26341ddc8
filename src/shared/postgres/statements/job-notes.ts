/**
 * What handlers tell while they run: lines of their log, and how far they have come. One statement for many jobs.
 *
 * A job's notes go with its row, whoever deletes that (the trigger `notes_forgotten`). Must not know RabbitMQ.
 */
import type { JobLogLevel, JobLogLine } from '../../job/job-note.ts';
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';

interface Note {
  jobId: string;
  attempt: number;
  /** How long ago it was told, in milliseconds. */
  ageMs: number;
}

export interface LogNote extends Note {
  level: JobLogLevel;
  message: string;
}

export interface ProgressNote extends Note {
  share: number;
  text: string | null;
}

/** Stores them, and tells whoever watches. Notes of jobs that are gone are dropped, and so is the progress of an attempt that is over. */
export async function recordNotes(
  sql: Sql,
  { lines, progress }: { lines: readonly LogNote[]; progress: readonly ProgressNote[] },
): Promise<void> {
  const at = sql`now() - given."ageMs" * interval '1 ms'`;
  await sql`
    with lines as (
      select given.*, ${at} as at, job.type, job.queue
      from jsonb_to_recordset(${JSON.stringify(lines.map((line, n) => ({ n, ...line })))}::text::jsonb)
        as given(n int, "jobId" bigint, attempt int, "ageMs" float8, level text, message text)
      join warren.jobs job on job.id = given."jobId"
    ),
    progress as (
      select given.*, ${at} as at, job.type, job.queue
      from jsonb_to_recordset(${JSON.stringify(progress)}::text::jsonb)
        as given("jobId" bigint, attempt int, "ageMs" float8, share float8, text text)
      join warren.jobs job on job.id = given."jobId" and job.attempt = given.attempt and job.state = 'running'
    ),
    logged as (
      insert into warren.job_logs (job_id, attempt, at, level, message)
      select "jobId", attempt, at, level, message from lines order by n
    ),
    moved as (
      insert into warren.job_progress (job_id, attempt, share, text, at)
      select "jobId", attempt, share, text, at from progress order by "jobId"
      on conflict (job_id) do update
      set attempt = excluded.attempt, share = excluded.share, text = excluded.text, at = excluded.at
    )
    select warren.tell_job_note(kind, "jobId", type, queue, detail) from (
      select 'job.logged' as kind, n, "jobId", type, queue,
        jsonb_build_object('attempt', attempt, 'level', level, 'message', message) as detail from lines
      union all
      select 'job.progressed', 0, "jobId", type, queue,
        jsonb_build_object('attempt', attempt, 'share', share, 'text', text) from progress
      order by n
    ) as told
    where exists (select from warren.event_watches)`;
}

/** The lines of a job's log, the oldest first, at most `limit`. By primary key. */
export async function findLogs(sql: Sql, jobId: string, limit: number): Promise<JobLogLine[]> {
  return await sql<JobLogLine[]>`
    select to_jsonb(at) #>> '{}' as at, attempt, level, message from warren.job_logs
    where job_id = ${jobId}::text::bigint order by id limit ${limit}`;
}

/** For a select list on `warren.jobs`: the `JobProgress` of its current attempt, or null. */
export function progressOf(sql: Sql): Fragment {
  return sql`(
    select jsonb_build_object('share', progress.share, 'text', progress.text, 'at', progress.at)
    from warren.job_progress progress where progress.job_id = jobs.id and progress.attempt = jobs.attempt
  ) as progress`;
}
