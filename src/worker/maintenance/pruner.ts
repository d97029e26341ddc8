/**
 * Forgets what is no longer needed: idempotency keys, and workers that are gone, after a day.
 */
import type { Database } from '#shared/postgres/database.ts';
import { pruneIdempotencyKeys } from '#shared/postgres/statements/maintenance.ts';
import { pruneWorkers } from '#shared/postgres/statements/workers.ts';
import type { Chore } from './maintenance.ts';

const HOUR_MS = 3_600_000;

export function createPruner({ database }: { database: Database }): Chore {
  return async () => {
    await database.query(pruneIdempotencyKeys);
    await database.query(pruneWorkers);
    return HOUR_MS;
  };
}
