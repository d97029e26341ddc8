/**
 * Whether a command can work on a database at all, found out before it begins: in a few seconds, and in one line that names the server and never the password.
 */
import postgres from 'postgres';
import { withDeadline } from '../base/backoff.ts';
import { Misconfigured, Unavailable } from '../base/errors.ts';
import { isUnavailable } from './failures.ts';
import { assertSchemaIsCurrent } from './migrate/migrate.ts';

const DEADLINE_MS = 5_000;

/** No authorization, no such database, no right to connect to it. */
const REFUSAL_STATES = /^(28|3D|42501)/;

/** Throws `Misconfigured` where the server refuses what the URL says, `Unavailable` where none answers. A pooler may stand in between. */
export async function assertReachable(databaseUrl: string): Promise<void> {
  await ask(databaseUrl, async (sql) => await sql`select 1`);
}

/** The same, and throws `Misconfigured` where the schema is older than this code. */
export async function assertCurrent(databaseUrl: string): Promise<void> {
  await ask(databaseUrl, (sql) => assertSchemaIsCurrent({ query: (statement) => statement(sql) }));
}

async function ask(databaseUrl: string, question: (sql: postgres.Sql) => Promise<unknown>): Promise<void> {
  const sql = postgres(databaseUrl, {
    max: 1,
    connect_timeout: DEADLINE_MS / 1_000,
    fetch_types: false,
    prepare: false,
    onnotice: () => {},
    connection: { application_name: 'warren-command' },
  });
  const { host } = new URL(databaseUrl);
  const late = () =>
    new Unavailable(
      'postgres_unavailable',
      `Postgres at ${host} does not answer within ${DEADLINE_MS / 1_000} s`,
    );
  try {
    await withDeadline(question(sql), DEADLINE_MS, late);
  } catch (error) {
    if (error instanceof Unavailable || error instanceof Misconfigured) throw error;
    const { code = '', message } = Object(error) as { code?: string; message?: string };
    if (code === 'CONNECT_TIMEOUT') throw late();
    if (isUnavailable(error) && !REFUSAL_STATES.test(code))
      throw new Unavailable(
        'postgres_unavailable',
        `Postgres at ${host} cannot be reached: ${message || code}`,
        error,
      );
    throw new Misconfigured(`Postgres at ${host} refuses the URL of the database: ${message || code}`);
  } finally {
    await sql.end({ timeout: 0 });
  }
}
