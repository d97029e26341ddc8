/**
 * How every connection of ours to Postgres is opened.
 *
 * Guarantees: nothing that others have put into the database runs as this role: the search path is `pg_catalog` alone, so that an operator or a
 * function of another schema is never chosen for one that is not qualified. Where a PgBouncer in transaction mode stands in between, a connection keeps
 * no state of a session: no settings, no prepared statements. What is set here otherwise is then set for the role (docs/postgres.md), and
 * search-path.ts refuses to work where it is not.
 */
import type postgres from 'postgres';
import { backoffMs } from '../base/backoff.ts';

/** The server ends a statement by itself after this, should the client be gone without the server's notice. */
const STATEMENT_TIMEOUT_MS = 15_000;

/** What a session of ours is set to. Units: milliseconds. */
export const sessionSettings = {
  search_path: 'pg_catalog',
  // Every statement has its index. A plan that was made while the table was small is kept by the session when it no longer is.
  enable_seqscan: 'off',
  jit: 'off', // compiling costs more than any of them; what the planner is not to choose looks dear to it
  statement_timeout: STATEMENT_TIMEOUT_MS,
  idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
  client_connection_check_interval: 1_000, // a statement whose client has gone ends
} as const;

/** The same on TCP: a peer that has gone without a word is noticed after some ten seconds. Units: seconds. */
const keepalives = { tcp_keepalives_idle: 5, tcp_keepalives_interval: 2, tcp_keepalives_count: 3 };

export interface ConnectionPlace {
  url: string;
  /** Whether a PgBouncer in transaction mode stands in between. Defaults to false. */
  isPooled?: boolean;
}

/** For a client named `name`. postgres.js counts in seconds. Prepared statements through a pooler where the URL says `prepare=true`. */
export function connectionOptions(
  name: string,
  { url, isPooled = false }: ConnectionPlace,
): postgres.Options<Record<string, never>> {
  const prepare = !isPooled || new URL(url).searchParams.get('prepare') === 'true';
  const settings = isPooled ? {} : { ...sessionSettings, ...keepalives };
  return {
    connect_timeout: 5,
    max_lifetime: null,
    backoff: (retries: number) => backoffMs(retries, { firstMs: 50, maxMs: 1_000, jitter: 0.5 }) / 1_000,
    fetch_types: false, // arrays travel as literals or as JSON: no extra query per connection
    onnotice: () => {}, // postgres.js prints notices otherwise
    prepare,
    connection: { application_name: name, ...settings },
  };
}

/** For a command that runs once, on a connection of its own: no deadlines, for it may take its time. */
export function commandOptions(name: string): postgres.Options<Record<string, never>> {
  return {
    max: 1,
    connect_timeout: 10,
    onnotice: () => {},
    connection: { application_name: name, search_path: sessionSettings.search_path },
  };
}
