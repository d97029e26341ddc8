// One connection to a test server, for what makes and drops databases; closed when the work is done.
import postgres from 'postgres';

export async function asAdministrator(
  databaseUrl: string,
  work: (sql: postgres.Sql) => Promise<void>,
): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1, connect_timeout: 10, onnotice: () => undefined });
  try {
    await work(sql);
  } finally {
    await sql.end({ timeout: 2 });
  }
}
