/**
 * The outbox relay: publishes committed rows whose message the broker has not confirmed, whatever became of the process that inserted them.
 *
 * Reserves some rows for a while, publishes them within one window of confirms, and marks the confirmed ones. A row that fails is free again when
 * that while is over. A second delivery of a row published twice finds nothing to claim.
 */

import { publishAndMark } from '#queue/outbox.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { reserveUnpublishedJobs } from '#shared/postgres/statements/maintenance.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AGAIN_MS = 600;
/** While there is something to relay now and then: programs that enqueue in their own transactions. */
const LOOK_AGAIN_SOON_MS = 100;
const SOON_FOR_MS = 10_000;
/** While the broker is away: nothing is asked of anybody. */
const NOT_READY_MS = 100;
const AT_ONCE = 1_000;

export interface RelayOptions {
  database: Database;
  publisher: () => Publisher;
  events: Events;
}

export function createRelay({ database, publisher, events }: RelayOptions): Chore {
  let foundAt = Number.NEGATIVE_INFINITY;
  return async () => {
    const target = publisher();
    if (!target.ready) return NOT_READY_MS;
    const jobs = await database.query((sql) => reserveUnpublishedJobs(sql, AT_ONCE));
    const count = await publishAndMark({ database, publisher: target }, jobs);
    if (jobs.length > 0) events.publish('maintenance.done', { task: 'relay', count });
    const now = performance.now();
    if (jobs.length > 0) foundAt = now;
    if (jobs.length === AT_ONCE) return 0;
    return now - foundAt < SOON_FOR_MS ? LOOK_AGAIN_SOON_MS : LOOK_AGAIN_MS;
  };
}
