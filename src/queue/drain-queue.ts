/**
 * Drains a queue: cancels what waits in it, in many small transactions.
 *
 * Guarantees: jobs that run are left, and so are jobs that were enqueued after it began, so that it comes to an end however many come; the rest is as of
 * everything that is cancelled in chunks (cancel-in-chunks.ts).
 */
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { cancelWaitingJobs, findLatestId, waits } from '#shared/postgres/statements/waiting.ts';
import { cancelInChunks, GIVES_UP_AFTER_MS } from './cancel-in-chunks.ts';

/** Returns how many jobs were cancelled. Throws `Unavailable`. */
export async function drainQueue(
  parts: { database: Database; events: Events },
  queue: string,
): Promise<number> {
  const upToId = await parts.database.query(findLatestId);
  const endsAt = performance.now() + GIVES_UP_AFTER_MS;
  let cancelled = 0;
  let before: number;
  do {
    before = cancelled;
    for (const wait of waits)
      cancelled += await cancelInChunks(
        parts,
        (sql, limit) => cancelWaitingJobs(sql, queue, { wait, upToId, limit }),
        endsAt,
      );
  } while (cancelled > before && performance.now() < endsAt); // once more: some were locked, or came due behind its back
  return cancelled;
}
