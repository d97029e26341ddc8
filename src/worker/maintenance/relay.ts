/**
 * The outbox relay: publishes committed rows whose message the broker has not confirmed, whatever became of the process that inserted them.
 *
 * Leases a batch of rows, publishes it within one window of confirms, and marks the confirmed ones. A row that fails is free again when its lease
 * ends. A second delivery of a row published twice finds nothing to claim.
 */

import { publishEvent } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Publishable } from '#shared/postgres/statements/jobs.ts';
import { markPublished } from '#shared/postgres/statements/jobs.ts';
import { leaseUnpublishedJobs } from '#shared/postgres/statements/maintenance.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AGAIN_MS = 600;
/** While there is something to relay now and then: programs that enqueue in their own transactions. */
const LOOK_AGAIN_SOON_MS = 100;
const SOON_FOR_MS = 10_000;
/** While the broker is away: nothing is asked of anybody. */
const NOT_READY_MS = 100;
const BATCH = 1_000;

export function createRelay({
  database,
  publisher,
}: {
  database: Database;
  publisher: () => Publisher;
}): Chore {
  let foundAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const target = publisher();
    if (!target.ready) return NOT_READY_MS;
    const jobs = await database.query((sql) => leaseUnpublishedJobs(sql, BATCH));
    await publishJobs({ database, publisher: target, jobs, task: 'relay' });
    const now = performance.now();
    if (jobs.length > 0) foundAt = now;
    if (jobs.length === BATCH) return 0;
    return now - foundAt < SOON_FOR_MS ? LOOK_AGAIN_SOON_MS : LOOK_AGAIN_MS;
  };
}

/** Publishes jobs and marks those that were confirmed. Does not throw for a message: the relay's next round has it. */
export async function publishJobs(options: {
  database: Database;
  publisher: Publisher;
  jobs: readonly Publishable[];
  task: string;
}): Promise<void> {
  const { database, publisher, jobs, task } = options;
  if (jobs.length === 0 || !publisher.ready) return;
  const confirmed = await publisher.publishAll(jobs);
  if (confirmed.length > 0) await database.query((sql) => markPublished(sql, confirmed));
  publishEvent('maintenance.done', { task, count: confirmed.length });
}
