// What a crash of Postgres leaves, without a crash: claims are undone, claims are closed. A real server is crashed by postgres-crash.test.ts and by row 44
// of the fault matrix.
import type { Fleet } from './fleet.ts';

/** Undoes the claims of these jobs and closes claims, in one transaction. The workers do not know yet. */
export async function undoClaims(fleet: Fleet, ids: readonly string[]): Promise<void> {
  await fleet.sql((sql) =>
    sql.begin(async (transaction) => {
      await transaction`delete from warren.claims_open`;
      await transaction`
        update warren.jobs set state = 'available', fence = fence - 1, attempt = attempt - 1, owner = null, claim_batch = null, started_at = null
        where id = any(${[...ids]}::bigint[])`;
    }),
  );
}

/** Ends every session of the fleet, as the server does when it crashes. */
export async function endSessions(fleet: Fleet): Promise<void> {
  await fleet.sql(
    (sql) => sql`
      select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
  );
}
