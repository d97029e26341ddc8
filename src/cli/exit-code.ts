/**
 * How the command `warren` ends, as a number for scripts. Pure; docs/command-line.md is made from the table.
 */
import {
  Conflict,
  errorMessage,
  InvalidInput,
  Misconfigured,
  NotFound,
  QueueFull,
  Unavailable,
} from '#shared/base/errors.ts';

export const exitCodes = {
  done: { code: 0, meaning: 'done; of `doctor`: nothing worse than a note was found' },
  failed: { code: 1, meaning: 'it failed, or a setting is wrong' },
  usage: { code: 2, meaning: 'the command line is wrong, or the API refused what was asked as malformed' },
  notFound: { code: 3, meaning: 'there is no such job, queue, type, schedule, limit or worker' },
  conflict: { code: 4, meaning: 'its present state forbids it' },
  refused: { code: 5, meaning: 'no token, a wrong one, or one whose role does not suffice' },
  unavailable: { code: 6, meaning: 'a server is away or busy: the same may succeed later' },
  warned: { code: 8, meaning: '`doctor` found a warning, and nothing worse' },
  faulty: { code: 9, meaning: '`doctor` found an error' },
} as const satisfies Record<string, { code: number; meaning: string }>;

/** Of an answer of the API. */
export function exitCodeOfStatus(status: number): number {
  if (status < 400) return exitCodes.done.code;
  if (status === 401 || status === 403) return exitCodes.refused.code;
  if (status === 404) return exitCodes.notFound.code;
  if (status === 409) return exitCodes.conflict.code;
  if (status === 429 || (status >= 502 && status <= 504)) return exitCodes.unavailable.code;
  return status < 500 ? exitCodes.usage.code : exitCodes.failed.code;
}

export function exitCodeOfError(error: unknown): number {
  if (error instanceof Misconfigured) return exitCodes.failed.code;
  if (error instanceof InvalidInput) return exitCodes.usage.code;
  if (error instanceof NotFound) return exitCodes.notFound.code;
  if (error instanceof Conflict) return exitCodes.conflict.code;
  if (error instanceof Unavailable || error instanceof QueueFull) return exitCodes.unavailable.code;
  return exitCodes.failed.code;
}

/** In one line. The name of its class says nothing more where it is an error of ours. */
export function explainError(error: unknown): string {
  const isOurs = [Misconfigured, InvalidInput, NotFound, Conflict, Unavailable, QueueFull].some(
    (kind) => error instanceof kind,
  );
  return isOurs ? (error as Error).message : errorMessage(error);
}
