/**
 * Cancels many jobs that wait, chunk by chunk: the rest of a queue that is drained, or of a batch that is cancelled.
 *
 * Guarantees: each chunk is committed by itself, so that nothing else waits for it long; the end of each job is told of. Where it fails or its time is
 * over, what was cancelled stays so, and it may be repeated.
 */
import type { Events } from '#shared/observe/events.ts';
import { publishJobEnd } from '#shared/observe/job-end.ts';
import type { Database, Sql } from '#shared/postgres/database.ts';
import type { CancelledJob } from '#shared/postgres/statements/waiting.ts';

/** Jobs that are cancelled by one statement. */
const CHUNK = 1_000;
/** What a request may take to cancel, in milliseconds: then it answers with what it has done. */
export const GIVES_UP_AFTER_MS = 20_000;

/** Goes on until the statement finds less than it may, or until `endsAt` on the monotonic clock. Returns how many were cancelled. Throws `Unavailable`. */
export async function cancelInChunks(
  { database, events }: { database: Database; events: Events },
  statement: (sql: Sql, limit: number) => Promise<CancelledJob[]>,
  endsAt: number,
): Promise<number> {
  let cancelled = 0;
  for (let found = CHUNK; found === CHUNK && performance.now() < endsAt; ) {
    const jobs = await database.query((sql) => statement(sql, CHUNK));
    for (const job of jobs) publishJobEnd(events, job, { state: job.state });
    found = jobs.length;
    cancelled += found;
  }
  return cancelled;
}
