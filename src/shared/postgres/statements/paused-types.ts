/**
 * Which job types are paused. A paused type takes jobs and runs none; the other types of its queue go on.
 */
import type { Sql } from '../database.ts';
import { notify } from '../notices.ts';

/** A job type that a program has told of. */
export interface TypeOverview {
  type: string;
  /** Where its jobs go if nothing else is said. */
  queue: string;
  paused: boolean;
}

export async function findTypes(sql: Sql): Promise<TypeOverview[]> {
  return await sql<TypeOverview[]>`select name as type, queue, paused from warren.job_types order by name`;
}

/** From this commit on no job of the type is claimed. Returns whether there is such a type. */
export async function pauseType(sql: Sql, name: string): Promise<boolean> {
  const { count } =
    await sql`update warren.job_types set paused = true, paused_at = case when paused then paused_at else now() end where name = ${name}`;
  return count === 1;
}

/** Lets the type's jobs run again: the relay is told, which has their messages. Returns whether there is such a type. */
export async function resumeType(sql: Sql, name: string): Promise<boolean> {
  const { count } = await sql`
    with resumed as (
      update warren.job_types set paused = false, paused_at = null where name = ${name} returning name
    )
    select ${notify(sql, { kind: 'due' })} from resumed`;
  return count === 1;
}
