// Who holds how many connections to Postgres: `pg_stat_activity` by application, and what the server allows. Reads only.
import postgres from 'postgres';

export interface Activity {
  /** By application name, sorted by it; those of other databases in one. Our own and the server's own processes are left out. */
  applications: readonly ApplicationConnections[];
  /** Every client connection to the server, of every database; our own is left out. */
  total: number;
  /** `max_connections` without those that are reserved for superusers. */
  max: number;
}

export interface ApplicationConnections {
  name: string;
  connections: number;
  /** Those that run a statement now. */
  active: number;
}

const NAME = 'warren-bench';

/** One connection, opened for the question where there is none, and opened again after it broke. */
export class ActivityReader {
  readonly #sql: postgres.Sql;

  constructor(databaseUrl: string) {
    this.#sql = postgres(databaseUrl, {
      max: 1,
      connect_timeout: 5,
      backoff: () => 0.25,
      fetch_types: false,
      onnotice: () => {},
      connection: { application_name: NAME, statement_timeout: 5_000 },
    });
  }

  async read(): Promise<Activity> {
    const rows = await this.#sql<(ApplicationConnections & { max: number })[]>`
      select
        case
          when datname is distinct from current_database() then '(other databases)'
          else coalesce(nullif(application_name, ''), '(no name)')
        end as name,
        count(*)::int as connections,
        (count(*) filter (where state = 'active'))::int as active,
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int as max
      from pg_stat_activity
      where backend_type = 'client backend' or (backend_type is null and datid is not null) -- null: another user's
      group by 1
      order by 1`;
    const others = rows.filter(({ name }) => name !== NAME);
    return {
      applications: others.map(({ name, connections, active }) => ({ name, connections, active })),
      total: others.reduce((sum, { connections }) => sum + connections, 0),
      max: rows[0]?.max ?? 0,
    };
  }

  async stop(): Promise<void> {
    await this.#sql.end({ timeout: 1 });
  }
}

/** `warren-worker` of `warren-worker@host:42` and of its `… presence`; other names as they are. */
export function programOf(name: string): string {
  return /^(warren-[a-z]+)@/.exec(name)?.[1] ?? name;
}
