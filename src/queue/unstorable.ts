/**
 * What Postgres refuses of a job's values, told as a fault of the request.
 */
import { errorMessage, InvalidInput } from '#shared/base/errors.ts';
import { isRowError } from '#shared/postgres/failures.ts';

/** What no schema has caught, and Postgres refuses: U+0000 in a text, a number out of range. */
export function refuseUnstorable(error: unknown): never {
  if (!isRowError(error)) throw error;
  throw new InvalidInput(
    'not_storable',
    `Postgres cannot keep the job as it is: ${errorMessage(error, 200)}`,
  );
}
