/**
 * Folds the rows by which jobs are counted (statements/counts.ts): each statement that changes jobs adds some, and this leaves one for each queue, type and state.
 *
 * Guarantees: a round is bounded; while nothing is enqueued and nothing runs, nothing is written. The counts are right without it, only slower to read.
 */
import type { Database } from '#shared/postgres/database.ts';
import { foldCounts } from '#shared/postgres/statements/counts.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AGAIN_MS = 2_000;
/** Rows that are read as fast as their sum. There may be as many pairs of type and state that have jobs. */
const WORTHWHILE = 2_000;
const AT_ONCE = 50_000;

export function createCountFolder({ database }: { database: Database }): Chore {
  return async () => {
    const folded = await database.query((sql) => foldCounts(sql, { worthwhile: WORTHWHILE, limit: AT_ONCE }));
    return folded === AT_ONCE ? 0 : LOOK_AGAIN_MS;
  };
}
