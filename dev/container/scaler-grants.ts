// What the role of the autoscaler is granted on the migrated schema: to count jobs, by queue and state, and to see no more of them (docs/security.md has the
// same; a test compares). Doing it again changes nothing.
import postgres from 'postgres';

import { commandOptions } from '../../src/shared/postgres/connection-options.ts';

/** As the owner of the schema. Throws what Postgres says, for instance that there is no such role yet. */
export async function grantToScaler({
  databaseUrl,
  role,
}: {
  databaseUrl: string;
  role: string;
}): Promise<void> {
  const sql = postgres(databaseUrl, commandOptions('warren-migrate'));
  try {
    const scaler = sql(role);
    await sql.begin(async (transaction) => {
      await transaction`grant usage on schema warren to ${scaler}`;
      await transaction`grant select (queue, state, run_at) on warren.jobs to ${scaler}`;
      await transaction`grant select (name, paused) on warren.queues to ${scaler}`;
      await transaction`grant select (queue, jobs) on warren.unserved_types to ${scaler}`;
    });
  } finally {
    await sql.end({ timeout: 2 });
  }
}
