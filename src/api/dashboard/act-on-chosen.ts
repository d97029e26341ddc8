/**
 * An act on the jobs that somebody has chosen on a page, some of them at a time.
 *
 * Guarantees: nothing is begun any more after twenty seconds, nor once a server behind the API is away, and every job that it was not done to is named with
 * the reason; what is told of an outage names no server.
 */
import pLimit from 'p-limit';
import { Conflict, InvalidInput, NotFound, Unavailable } from '#shared/base/errors.ts';

/** To cancel a job that runs takes up to a second, in which nothing is done but wait. */
const AT_ONCE = 5;
const MAX_MS = 20_000;
const AWAY = 'a server behind the API is away or busy, and nothing is known to have been done: try again';
const TOO_LATE = 'the others took too long: try again';
/** Of this job alone: the next ones may be free. */
const ONE_JOB = 'job_busy';

export interface Failure {
  id: string;
  reason: string;
}

/** Resolves with those that it was not done to, in their order. Throws what nobody has foreseen. */
export async function actOnChosen(
  ids: readonly string[],
  act: (id: string) => Promise<unknown>,
): Promise<Failure[]> {
  const endsAt = performance.now() + MAX_MS;
  let isAway = false;
  const one = async (id: string): Promise<Failure[]> => {
    if (isAway) return [{ id, reason: AWAY }];
    if (performance.now() > endsAt) return [{ id, reason: TOO_LATE }];
    try {
      await act(id);
      return [];
    } catch (error) {
      if (error instanceof Unavailable && error.code !== ONE_JOB) {
        isAway = true;
        return [{ id, reason: AWAY }];
      }
      const isToldWhy = [Conflict, InvalidInput, NotFound, Unavailable].some((kind) => error instanceof kind);
      if (isToldWhy) return [{ id, reason: (error as Error).message }];
      throw error;
    }
  };
  return (await pLimit(AT_ONCE).map(ids, one)).flat();
}
