/**
 * What an error from Postgres, or from the way to it, means for the caller. Pure.
 * Source of the codes: PostgreSQL 15, appendix A, and the error codes in postgres.js `src/errors.js`.
 */

const NETWORK_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT', // the Unix socket is not there
  'ENOTFOUND',
  'EAI_AGAIN',
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
]);

/** Connection exception, no authorization or database (yet), read-only standby, rollback, no resources, lock wait, intervention, system. */
const UNAVAILABLE_STATES = /^(08|28|3D|25006|40|53|55P03|57|58)/;

/** Data exception, constraint violation, program limit (a jsonb nested too deep). */
const ITEM_STATES = /^(22|23|54)/;

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : '';
}

/** Whether a later try of the same statement may succeed. */
export function isUnavailable(error: unknown): boolean {
  const code = codeOf(error);
  return NETWORK_CODES.has(code) || UNAVAILABLE_STATES.test(code);
}

/** Whether Postgres could not be reached, or the connection to it was lost: by the network, or by the server as it went down. */
export function isConnectionLoss(error: unknown): error is Error {
  const code = codeOf(error);
  return NETWORK_CODES.has(code) || /^(08|57P0[123])/.test(code);
}

/** Whether the server has ended the statement because it took too long. */
export function isTimeout(error: unknown): boolean {
  return codeOf(error) === '57014';
}

/** Whether the values of one row are at fault, so that the other rows of the statement deserve a try of their own. */
export function isRowError(error: unknown): boolean {
  return ITEM_STATES.test(codeOf(error));
}

/** Whether the schema, or a table of it, does not exist. */
export function isMissingSchema(error: unknown): boolean {
  return ['42P01', '3F000'].includes(codeOf(error));
}

/** Whether a unique index refused the row. */
export function isUniqueViolation(error: unknown): boolean {
  return codeOf(error) === '23505';
}
