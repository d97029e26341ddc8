/**
 * Removes the schedules that are gone from the code of their application: its workers live, and none of them has told of it for a minute.
 *
 * Guarantees: while no worker of the application lives, its schedules stay, to be caught up; so do those that were set at run time.
 */
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { removeUntoldSchedules } from '#shared/postgres/statements/schedules.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AGAIN_MS = 10_000;
/** A worker that has just told of its schedules shows as living a little later, in milliseconds. */
const TOLD_FOR_MS = 60_000;

export function createUntoldSchedules({ database, events }: { database: Database; events: Events }): Chore {
  return async () => {
    const removed = await database.query((sql) => removeUntoldSchedules(sql, TOLD_FOR_MS));
    for (const schedule of removed) events.publish('schedule.removed', { schedule });
    return LOOK_AGAIN_MS;
  };
}
