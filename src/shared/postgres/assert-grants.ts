/**
 * Refuses to work where the role of a program lacks grants: told at the start, all of them in one line, instead of one by one whenever a statement first
 * needs them.
 *
 * Guarantees: reads nothing but the catalog, which every role may; a table that is not there is no matter of grants (the schema is older, which is told
 * elsewhere).
 */
import { Misconfigured } from '../base/errors.ts';
import type { Database } from './database.ts';

/** By table of the schema `warren`, the privileges that a program needs on it, each as in `grant`. Sequences stand among the tables. */
export type Grants = Readonly<Record<string, readonly string[]>>;

interface Missing {
  role: string;
  /** `select, insert on warren.jobs; usage on schema warren`; null where it lacks none. */
  grants: string | null;
}

/** Throws `Misconfigured` where the role of this connection lacks some of them; `Unavailable` where nobody can tell. */
export async function assertGrants(database: Database, grants: Grants): Promise<void> {
  const wanted = JSON.stringify(
    Object.entries(grants).map(([name, privileges]) => ({ name, privileges: privileges.join(',') })),
  );
  const [missing] = await database.query(
    async (sql) =>
      await sql<Missing[]>`
      with lacked as (
        select class.relname, string_agg(privilege, ', ' order by place) as privileges
        from jsonb_to_recordset(${wanted}::text::jsonb) as wanted (name text, privileges text)
        join pg_class class on class.relname = wanted.name and class.relnamespace = to_regnamespace('warren')
        cross join lateral unnest(string_to_array(wanted.privileges, ',')) with ordinality as each (privilege, place)
        where not case when class.relkind = 'S' then has_sequence_privilege(class.oid, privilege)
          else has_table_privilege(class.oid, privilege) end
        group by class.relname
      )
      select current_user::text as role, string_agg(lack, '; ' order by lack collate "C") as grants from (
        select privileges || ' on warren.' || relname as lack from lacked
        union all
        select 'usage on schema warren' from pg_namespace where nspname = 'warren' and not has_schema_privilege(oid, 'usage')
      ) as lacks`,
  );
  if (missing === undefined || missing.grants === null) return;
  throw new Misconfigured(
    `the role "${missing.role}" lacks grants: ${missing.grants} (docs/security.md has all that each program needs; apply them again after a migration)`,
  );
}
