/**
 * Finds jobs whose arguments or output are not encrypted with the current key, and writes them anew.
 *
 * Guarantees: what has changed since it was read stays as it is; nothing else of the job changes, and its state counts for nothing: a worker that runs it has
 * its arguments already. Must not know how anything is encrypted.
 */
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';
import { bigints } from './parts.ts';

/** What is encrypted of a job. */
export interface SealedJob {
  id: string;
  type: string;
  args: unknown;
  output: unknown;
}

/** What was read of it, and as JSON what is to be written. */
export interface RenewedJob {
  id: string;
  oldArgs: unknown;
  args: string;
  oldOutput: unknown;
  output: string;
}

/** Which jobs are to have which key. */
export interface Sealing {
  types: readonly string[];
  /** The name of the current key. */
  keyId: string;
}

/** Jobs of these types of which something does not begin with the current key's name. */
export function isOutdated(sql: Sql, { types, keyId }: Sealing): Fragment {
  const current = `${keyId}.`;
  const isOld = (column: 'args' | 'output') =>
    sql`(${sql.unsafe(column)} is not null and not coalesce(starts_with(${sql.unsafe(column)} ->> '$encrypted', ${current}), false))`;
  return sql`type = any(array(select jsonb_array_elements_text(${JSON.stringify(types)}::text::jsonb))) and (${isOld('args')} or ${isOld('output')})`;
}

/** Up to `limit` jobs after `after`, by id, that are outdated. By primary key. */
export async function findOutdated(
  sql: Sql,
  { after, limit, ...sealing }: Sealing & { after: string; limit: number },
): Promise<SealedJob[]> {
  return await sql<SealedJob[]>`
    select id, type, args, output from warren.jobs
    where id > ${after}::text::bigint and ${isOutdated(sql, sealing)}
    order by id limit ${limit}`;
}

/** Returns the ids of those that were as they had been read, and are written now. */
export async function writeSealed(sql: Sql, jobs: readonly RenewedJob[]): Promise<string[]> {
  const given = jobs.map(({ args, output, ...job }) => ({
    ...job,
    args: JSON.parse(args),
    output: JSON.parse(output),
  }));
  const rows = await sql<{ id: string }[]>`
    with given as (
      select * from jsonb_to_recordset(${JSON.stringify(given)}::text::jsonb)
        as g(id bigint, "oldArgs" jsonb, args jsonb, "oldOutput" jsonb, output jsonb)
    )
    update warren.jobs job
    set args = given.args, args_bytes = octet_length(given.args::text), output = nullif(given.output, 'null'::jsonb)
    from given
    where job.id = any(${bigints(jobs.map(({ id }) => id))}::text::bigint[]) and job.id = given.id
      and job.args = given."oldArgs" and job.output is not distinct from nullif(given."oldOutput", 'null'::jsonb)
    returning job.id::text as id`;
  return rows.map(({ id }) => id);
}
