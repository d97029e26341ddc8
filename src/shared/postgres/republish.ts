/**
 * After the broker was replaced: leaves every job that could run to the relay, which publishes it again. On a connection of its own.
 *
 * Harmless at any time: a job that has two messages is claimed once.
 */
import postgres from 'postgres';
import { commandOptions } from './connection-options.ts';
import { unpublishJobs } from './statements/maintenance.ts';

const ROUND_SIZE = 10_000;

/** Resolves with the number of jobs. Throws what Postgres says. */
export async function republishJobs(databaseUrl: string): Promise<number> {
  const sql = postgres(databaseUrl, commandOptions('warren-rebuild'));
  try {
    let total = 0;
    for (;;) {
      const count = await unpublishJobs(sql, ROUND_SIZE);
      total += count;
      // Not until there are none: a relay that runs meanwhile publishes them as fast as this takes them back.
      if (count < ROUND_SIZE) return total;
    }
  } finally {
    await sql.end({ timeout: 2 });
  }
}
