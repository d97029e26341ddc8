/**
 * Whether Postgres answers, in the words of /readyz. Never rejects; what exactly went wrong is in the log.
 */
import type { Check } from '../base/health-check.ts';
import type { Database } from './database.ts';

const DEADLINE_MS = 1_000;

export async function checkPostgres(database: Database): Promise<Check> {
  try {
    await database.query((sql) => sql`select 1`, DEADLINE_MS);
    return { ok: true };
  } catch {
    return { ok: false, detail: `no answer within ${DEADLINE_MS} ms` };
  }
}
