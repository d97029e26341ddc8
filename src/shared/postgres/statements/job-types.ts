/**
 * The job types and queues that the database knows, so that a job can be enqueued in SQL. Each program tells of its application's at its start.
 */
import type { App } from '../../job/app.ts';
import type { Sql } from '../database.ts';

/** Tells of the application's job types and queues. Telling again changes nothing; a later version of the application has the last word. */
export async function tellJobTypes(sql: Sql, { name, definitions, queues }: App): Promise<void> {
  const types = [...definitions.values()].map(({ type, queue, maxAttempts }) => ({
    type,
    queue,
    maxAttempts,
  }));
  await sql`
    with served as (
      insert into warren.queues (name)
      select jsonb_array_elements_text(${JSON.stringify([...queues.keys()].sort())}::text::jsonb) on conflict (name) do nothing
    )
    insert into warren.job_types (name, app, queue, max_attempts)
    select type, ${name}, queue, "maxAttempts"
    from jsonb_to_recordset(${JSON.stringify(types)}::text::jsonb) as given(type text, queue text, "maxAttempts" int)
    order by type -- one order for all: programs start together
    on conflict (name) do update
    set app = excluded.app, queue = excluded.queue, max_attempts = excluded.max_attempts, told_at = now()`;
}
