/**
 * The one error out of nowhere that ends no program of ours.
 */

/**
 * Whether this is the error that postgres.js throws into nowhere where a connection closes in `begin` or under `reserve`: it writes what comes next, its own
 * rollback too, to no socket. Whoever awaits the transaction is told of the lost connection all the same. Source: porsager/postgres#1208.
 */
export function isWriteAfterClose(error: unknown): boolean {
  return error instanceof TypeError && /nextWrite \(.*\bpostgres\b/.test(error.stack ?? '');
}
