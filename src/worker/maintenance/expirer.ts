/**
 * Ends the jobs that nobody may start any more. No worker starts them meanwhile: the claims look at the same times.
 *
 * Guarantees: each is told of once; a round is bounded.
 */
import type { Events } from '#shared/observe/events.ts';
import { publishJobEnd } from '#shared/observe/job-end.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { LateJob } from '#shared/postgres/statements/expiry.ts';
import { endOverrunJobs, expireJobs } from '#shared/postgres/statements/expiry.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AGAIN_MS = 1_000;
const AT_ONCE = 1_000;

export interface ExpirerOptions {
  database: Database;
  events: Events;
  /** Told of the gates of jobs that have left their places there. */
  onFreed: (gates: readonly string[]) => void;
}

export function createExpirer({ database, events, onFreed }: ExpirerOptions): Chore {
  const tell = (jobs: readonly LateJob[]) => {
    onFreed(jobs.flatMap(({ gates }) => gates ?? []));
    for (const job of jobs) publishJobEnd(events, job, { state: 'discarded', error: job.error });
  };
  return async () => {
    const expired = await database.query((sql) => expireJobs(sql, AT_ONCE));
    for (const { id: jobId, type, queue, trace } of expired)
      events.publish('job.expired', { ...trace, jobId, type, queue });
    tell(expired);
    const overrun = await database.query((sql) => endOverrunJobs(sql, AT_ONCE));
    tell(overrun);
    const count = expired.length + overrun.length;
    if (count > 0) events.publish('maintenance.done', { task: 'expirer', count });
    return expired.length === AT_ONCE || overrun.length === AT_ONCE ? 0 : LOOK_AGAIN_MS;
  };
}
