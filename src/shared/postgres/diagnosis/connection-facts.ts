/**
 * How many connections to Postgres are open, how many there may be, and who has them: for `warren doctor`. Reads only.
 */
import type { Sql } from '../database.ts';
import type { Fragment } from '../statements/parts.ts';

/** Who has connections, by the name that it gives. */
export interface Holder {
  name: string;
  connections: number;
}

export interface ConnectionFacts {
  maxConnections: number;
  openConnections: number;
  /** Who has most of them; at most three. */
  holders: Holder[];
  /** Of this database alone; `limit` is null where it has none of its own. */
  ofDatabase: { limit: number | null; open: number; holders: Holder[] };
}

export async function readConnections(sql: Sql): Promise<ConnectionFacts> {
  const [row] = await sql<{ max: number; open: number; limit: number | null; ofDatabase: number }[]>`
    select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as max,
      count(*)::int as open, count(*) filter (where datname = current_database())::int as "ofDatabase",
      (select nullif(datconnlimit, -1) from pg_database where datname = current_database()) as limit
    from pg_stat_activity where backend_type = 'client backend'`;
  if (row === undefined) throw new Error('Postgres gave no answer');
  return {
    maxConnections: row.max,
    openConnections: row.open,
    holders: await findHolders(sql, sql`true`),
    ofDatabase: {
      limit: row.limit,
      open: row.ofDatabase,
      holders: await findHolders(sql, sql`datname = current_database()`),
    },
  };
}

async function findHolders(sql: Sql, condition: Fragment): Promise<Holder[]> {
  return await sql<Holder[]>`
    select application_name as name, count(*)::int as connections from pg_stat_activity
    where backend_type = 'client backend' and ${condition} group by application_name order by count(*) desc limit 3`;
}
