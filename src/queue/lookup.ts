/**
 * Looks rows up by id in groups: lookups that come within one turn of the event loop are one statement, of `maxRows` rows at most.
 */
import { Batcher } from '#shared/base/batcher.ts';
import type { Database, Sql } from '#shared/postgres/database.ts';

/** Resolves with the row, or undefined where there is none. Ids must be checked already. */
export type Lookup<Row> = (id: string) => Promise<Row | undefined>;

export function createLookup<Row extends { id: string }>(
  database: Database,
  find: (sql: Sql, ids: readonly string[]) => Promise<Row[]>,
  { maxRows = 1_000 } = {},
): Lookup<Row> {
  const lookups = new Batcher<string, Row | undefined>({
    run: async (ids, waitedMs) => {
      const rows = await database.query((sql) => find(sql, ids), database.deadlineAfter(waitedMs));
      const byId = new Map(rows.map((row) => [row.id, row]));
      return ids.map((id) => byId.get(id));
    },
    maxItems: maxRows,
    concurrency: 2,
  });
  return (id) => lookups.add(id);
}
