/**
 * Deletes the events of jobs that are kept no longer, and forgets what nobody watches any more, so that nothing is recorded for it.
 *
 * Guarantees: a round is bounded, and works at most half of the time.
 */
import type { Database } from '#shared/postgres/database.ts';
import { forgetInterests, pruneEvents } from '#shared/postgres/statements/events.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AGAIN_MS = 30_000;
const KEPT_MS = 600_000;
const KEPT_COUNT = 200_000;
const AT_ONCE = 20_000;

export function createEventPruner({ database }: { database: Database }): Chore {
  return async () => {
    const startedAt = performance.now();
    await database.query(forgetInterests);
    const pruned = await database.query((sql) =>
      pruneEvents(sql, { keptMs: KEPT_MS, keptCount: KEPT_COUNT, limit: AT_ONCE }),
    );
    return pruned === AT_ONCE ? performance.now() - startedAt : LOOK_AGAIN_MS;
  };
}
