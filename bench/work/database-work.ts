// What Postgres was made to do: statements (every one of Warren's is a transaction of its own) and bytes of write-ahead log.
// Sessions report their statements when they end, or once in a while: read before the first one starts and after the last one has ended.
import type postgres from 'postgres';

export interface DatabaseWork {
  statements: number;
  walBytes: number;
}

/** Since the server began; of this database, and of the whole server for the log. */
export async function readDatabaseWork(sql: postgres.Sql): Promise<DatabaseWork> {
  const [row] = await sql<DatabaseWork[]>`
    select (xact_commit + xact_rollback)::float8 as statements, (pg_current_wal_lsn() - '0/0')::float8 as "walBytes"
    from pg_stat_database where datname = current_database()`;
  if (row === undefined) throw new Error('Postgres knows its databases');
  return row;
}

export function databaseWorkBetween(before: DatabaseWork, after: DatabaseWork): DatabaseWork {
  return { statements: after.statements - before.statements, walBytes: after.walBytes - before.walBytes };
}
