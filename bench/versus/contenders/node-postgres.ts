// What the adapters that look into a Postgres schema share: a small pool, and a way to empty tables.
import pg from 'pg';
import { describeError } from '../programs/describe-error.ts';

export function connectPool(databaseUrl: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 2 });
  pool.on('error', describeError);
  pool.on('connect', (client) => client.on('error', describeError));
  return pool;
}

/** Every table of the schema but those with such a name. */
export async function truncateTables(pool: pg.Pool, schema: string, keep: RegExp): Promise<void> {
  const { rows } = await pool.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = $1`,
    [schema],
  );
  const tables = rows.map(({ name }) => name).filter((name) => !keep.test(name));
  await pool.query(`truncate ${tables.join(', ')}`);
}
