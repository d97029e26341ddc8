/**
 * The job types and queues that the database knows, so that a job can be enqueued in SQL, and is deleted in its time by a
 * worker that does not know its type. Each program tells of its application's at its start.
 */
import type { App } from '../../job/app.ts';
import type { Retention } from '../../job/job.ts';
import type { Sql } from '../database.ts';

/** Tells of the application's job types and queues. Telling again changes nothing; a later version of the application has the last word. */
export async function tellJobTypes(sql: Sql, { name, definitions, queues }: App): Promise<void> {
  const types = [...definitions.values()].map(({ type, queue, maxAttempts, retention }) => ({
    type,
    queue,
    maxAttempts,
    retention,
  }));
  await sql`
    with served as (
      insert into warren.queues (name)
      select jsonb_array_elements_text(${JSON.stringify([...queues.keys()].sort())}::text::jsonb) on conflict (name) do nothing
    )
    insert into warren.job_types (name, app, queue, max_attempts, retention)
    select type, ${name}, queue, "maxAttempts", retention
    from jsonb_to_recordset(${JSON.stringify(types)}::text::jsonb) as given(type text, queue text, "maxAttempts" int, retention jsonb)
    order by type -- one order for all: programs start together
    on conflict (name) do update
    set app = excluded.app, queue = excluded.queue, max_attempts = excluded.max_attempts,
      retention = excluded.retention, told_at = now()`;
}

/** By job type, how long its jobs are kept, of whichever application. Types that say nothing of it are left out. */
export async function findRetention(sql: Sql): Promise<Record<string, Partial<Retention>>> {
  const rows = await sql<{ name: string; retention: Partial<Retention> }[]>`
    select name, retention from warren.job_types where retention is not null`;
  return Object.fromEntries(rows.map(({ name, retention }) => [name, retention]));
}
