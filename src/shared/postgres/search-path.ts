/**
 * Refuses to work where the server would look for operators and functions in schemas that others can put something into. Connections of ours set the path
 * themselves (connection-options.ts), save through a PgBouncer: there the role has to be set so.
 */
import { Misconfigured } from '../base/errors.ts';
import type { Database } from './database.ts';

const SAFE_SEARCH_PATHS = ['', '""', 'pg_catalog', 'pg_catalog, pg_temp'];

/** Throws `Misconfigured` where the server looks for operators and functions in more schemas than its own; `Unavailable` where nobody can tell. */
export async function assertSearchPath(database: Database): Promise<void> {
  const [session] = await database.query(
    async (sql) =>
      await sql<{ path: string; role: string }[]>`
      select current_setting('search_path') as path, current_user::text as role`,
  );
  if (session === undefined || SAFE_SEARCH_PATHS.includes(session.path)) return;
  throw new Misconfigured(
    `the search path of role "${session.role}" is ${session.path}: through PgBouncer it must be set for the role ` +
      `(alter role "${session.role}" set search_path = pg_catalog, see docs/postgres.md)`,
  );
}
