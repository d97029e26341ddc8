/**
 * Notes which waiting jobs no living worker runs, and tells when that has been so for ten minutes, and when it is over.
 *
 * Guarantees: one event for each change, of one leader; a leader that has just begun tells of what stands.
 */
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { UnservedType } from '#shared/postgres/statements/unserved-types.ts';
import { noteUnservedTypes } from '#shared/postgres/statements/unserved-types.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AGAIN_MS = 30_000;

export function createUnservedTypes({ database, events }: { database: Database; events: Events }): Chore {
  let told = new Map<string, UnservedType>();
  return async () => {
    const unserved = await database.query(noteUnservedTypes);
    const now = new Map(unserved.map((found) => [`${found.queue} ${found.type}`, found]));
    for (const [key, { queue, type, jobs }] of now)
      if (!told.has(key)) events.publish('type.unserved', { queue, type, jobs, unserved: true });
    for (const [key, { queue, type, jobs }] of told)
      if (!now.has(key)) events.publish('type.unserved', { queue, type, jobs, unserved: false });
    told = now;
    return LOOK_AGAIN_MS;
  };
}
