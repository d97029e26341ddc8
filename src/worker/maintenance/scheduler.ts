/**
 * Makes scheduled and retryable jobs available when they are due, to a few milliseconds, and publishes them.
 *
 * It sleeps until the next one is due, at most a second: what is inserted meanwhile with a shorter delay comes with a notice (`due`).
 */
import { publishAndMark } from '#queue/outbox.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { nextDueMs, promoteDueJobs } from '#shared/postgres/statements/maintenance.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AHEAD_MS = 1_000;
/** When what is due is locked by somebody. */
const LOCKED_MS = 20;
const AT_ONCE = 1_000;

export interface SchedulerOptions {
  database: Database;
  publisher: () => Publisher;
  events: Events;
  /** Told of the gates at which jobs wait from now on. */
  onHeld: (gates: readonly string[]) => void;
}

export function createScheduler({ database, publisher, events, onHeld }: SchedulerOptions): Chore {
  return async () => {
    const dueMs = await database.query(nextDueMs);
    if (dueMs === null || dueMs > LOOK_AHEAD_MS) return LOOK_AHEAD_MS;
    if (dueMs > 1) return dueMs;
    const target = publisher();
    const byRelay = !target.ready;
    const jobs = await database.query((sql) => promoteDueJobs(sql, AT_ONCE, { byRelay }));
    if (jobs.length === 0) return LOCKED_MS;
    onHeld(jobs.flatMap(({ gate }) => gate ?? []));
    if (byRelay) return 0;
    const available = jobs.filter(({ gate }) => gate === null);
    const count = await publishAndMark({ database, publisher: target }, available);
    events.publish('maintenance.done', { task: 'scheduler', count });
    return 0;
  };
}
