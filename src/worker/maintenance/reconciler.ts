/**
 * Finds available jobs whose message was confirmed and is gone (a wiped broker, a purged or deleted queue), and has the relay publish them anew.
 *
 * A queue hands messages out in order, so a job's message is gone where one that was published ten seconds later has been delivered, or where the
 * queue is empty. Age alone says nothing: it would publish a whole backlog again.
 */
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { unpublishOvertakenJobs, unpublishUndeliveredJobs } from '#shared/postgres/statements/maintenance.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AGAIN_MS = 5_000;
const AT_ONCE = 1_000;

export interface ReconcilerOptions {
  database: Database;
  events: Events;
  /** The queues that hold no ready message; none where the broker does not tell. */
  emptyQueues: () => Promise<readonly string[]>;
  /** Called when rows wait for the relay. */
  onFound: () => void;
}

export function createReconciler({ database, events, emptyQueues, onFound }: ReconcilerOptions): Chore {
  return async () => {
    const empty = await emptyQueues();
    const overtaken = await database.query((sql) => unpublishOvertakenJobs(sql, AT_ONCE));
    const undelivered =
      empty.length === 0 ? 0 : await database.query((sql) => unpublishUndeliveredJobs(sql, empty, AT_ONCE));
    const count = overtaken + undelivered;
    if (count === 0) return LOOK_AGAIN_MS;
    events.publish('maintenance.done', { task: 'reconciler', count });
    onFound();
    return Math.max(overtaken, undelivered) === AT_ONCE ? 0 : LOOK_AGAIN_MS;
  };
}
