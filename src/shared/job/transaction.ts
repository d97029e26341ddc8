/**
 * What a handler runs its statements with in the transaction of its job. A type only: postgres.js, without what leads out of the transaction.
 */
import type { ISql } from 'postgres';

// biome-ignore lint/complexity/noBannedTypes: `{}` is how postgres.js spells "no custom types"
export interface TransactionSql extends ISql<{}> {
  /** What `work` has done is undone where it throws; the transaction goes on. */
  savepoint<T>(work: (sql: TransactionSql) => Promise<T>): Promise<T>;
}
