/**
 * The job types and queues that the database knows, so that a job can be enqueued in SQL, and is deleted in its time by a
 * worker that does not know its type. Each program tells of its application's at its start.
 *
 * A name means one type for all applications on the database. The application that told of it first owns it, as long as the others tell the same.
 */
import type { App } from '../../job/app.ts';
import type { Retention } from '../../job/job.ts';
import type { Sql } from '../database.ts';
import { isBeating } from './parts.ts';

/** What a program tells of a job type, beside its name. */
export interface ToldDefinition {
  queue: string;
  maxAttempts: number;
  /** Null where the type says nothing of it. */
  retention: Partial<Retention> | null;
}

export interface ToldType extends ToldDefinition {
  type: string;
}

/** What the database knows of a type that a program is about to tell differently. */
export interface DifferingType extends ToldType {
  /** The application that owns it: another one, or the program's own. */
  app: string;
  /** Another application whose workers live and run the type; null: none. */
  livingApp: string | null;
}

/** How long things are kept by an application's settings, in milliseconds. */
export interface Kept extends Retention {
  idempotencyKey: number;
  /** Its workers archive jobs before they delete them. Undefined: told by an earlier version, which does not. */
  archives?: boolean;
}

/** Those of the types that the database knows with another definition, and that another application owns or its living workers run. */
export async function findDifferingTypes(
  sql: Sql,
  app: string,
  types: readonly ToldType[],
): Promise<DifferingType[]> {
  return await sql<DifferingType[]>`
    select known.name as type, known.app, known.queue, known.max_attempts as "maxAttempts", known.retention, others."livingApp"
    from ${given(sql, types)} join warren.job_types known on known.name = given.type, lateral (
      select min(worker.app) as "livingApp" from warren.workers worker
      where worker.app <> ${app} and known.name = any(worker.types) and ${isBeating(sql)}
    ) as others
    where (known.app <> ${app} or others."livingApp" is not null)
      and (known.queue, known.max_attempts, known.retention) is distinct from (given.queue, given."maxAttempts", given.retention)
    order by known.name`;
}

/**
 * Tells of the application's queues and of job types; a type that another application owns becomes this one's where it is told with another definition.
 * Telling again changes nothing. `kept`: by the settings of this program; left as it was told before where it is not given.
 */
export async function tellJobTypes(
  sql: Sql,
  { name, queues }: Pick<App, 'name' | 'queues'>,
  types: readonly ToldType[],
  kept?: Kept,
): Promise<void> {
  const keptHere = JSON.stringify(kept === undefined ? {} : { [name]: kept });
  await sql`
    with served as (
      insert into warren.queues (name)
      select jsonb_array_elements_text(${JSON.stringify([...queues.keys()].sort())}::text::jsonb) on conflict (name) do nothing
    )
    insert into warren.job_types as known (name, app, queue, max_attempts, retention, kept)
    select type, ${name}, queue, "maxAttempts", retention, ${keptHere}::text::jsonb from ${given(sql, types)}
    order by type -- one order for all: programs start together
    on conflict (name) do update
    set app = case
        when (known.queue, known.max_attempts, known.retention) is distinct from (excluded.queue, excluded.max_attempts, excluded.retention)
          then excluded.app else known.app end,
      queue = excluded.queue, max_attempts = excluded.max_attempts, retention = excluded.retention,
      kept = known.kept || excluded.kept, told_at = now()`;
}

/** What the database knows of how long a type's jobs are kept. */
export interface TypeRetention {
  type: string;
  /** What the type itself says. */
  retention: Partial<Retention> | null;
  /** What the settings of the applications say that have it. */
  kept: Kept[];
}

/** Of all job types, of whichever application. */
export async function findRetention(sql: Sql): Promise<TypeRetention[]> {
  return await sql<TypeRetention[]>`
    select name as type, retention,
      coalesce((select jsonb_agg(told.value) from jsonb_each(kept) as told), '[]') as kept
    from warren.job_types`;
}

function given(sql: Sql, types: readonly ToldType[]) {
  return sql`jsonb_to_recordset(${JSON.stringify(types)}::text::jsonb)
    as given(type text, queue text, "maxAttempts" int, retention jsonb)`;
}
