/**
 * Gives back the running jobs of workers that have died, or are frozen, where no message tells of them any more.
 *
 * An owner is given up when its advisory lock was free at every look for two seconds (one that only reconnects gets it back sooner), or when it
 * holds its lock and has been silent for six seconds more than a minute (time for a late beat). After a look that failed nobody is given up for six seconds: all may be
 * reconnecting. (A redelivered message is a witness of its own; then the claim takes over at once.)
 */
import type { Events } from '#shared/observe/events.ts';
import { publishJobEnd } from '#shared/observe/job-end.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { RescuedJob, SilentOwner } from '#shared/postgres/statements/maintenance.ts';
import { findSilentOwners, rescueJobs } from '#shared/postgres/statements/maintenance.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AGAIN_MS = 1_000;
const LOCK_FREE_MS = 2_000;
/** More than two beats. */
const RETURN_MS = 6_000;
/** Looks that are farther apart than this do not count as one. */
const MAX_GAP_MS = 2_500;
const AT_ONCE = 1_000;

export interface RescuerOptions {
  database: Database;
  events: Events;
  /** Called when rows wait for the relay. */
  onRescued: () => void;
  /** Told of the gates of jobs that have left their places there, or wait there again. */
  onFreed: (gates: readonly string[]) => void;
}

export function createRescuer({ database, events, onRescued, onFreed }: RescuerOptions): Chore {
  let silentSince = new Map<string, number>();
  let lookedAt = 0;
  let trustedFrom = 0;

  const look = async () => {
    try {
      return await database.query(findSilentOwners);
    } catch (error) {
      trustedFrom = performance.now() + RETURN_MS;
      throw error;
    }
  };

  return async () => {
    const silent = await look();
    const now = performance.now();
    if (now - lookedAt > MAX_GAP_MS) silentSince = new Map();
    lookedAt = now;
    silentSince = new Map(silent.map(({ owner }) => [owner, silentSince.get(owner) ?? now]));
    const gone = silent.filter(({ owner, isLockFree }) => {
      return now - (silentSince.get(owner) ?? now) >= (isLockFree ? LOCK_FREE_MS : RETURN_MS);
    });
    if (gone.length === 0 || now < trustedFrom) return LOOK_AGAIN_MS;
    const owners = gone.map(({ owner }) => owner);
    const rescued = await database.query((sql) => rescueJobs(sql, owners, AT_ONCE));
    events.publish('maintenance.done', { task: 'rescuer', count: rescued.length });
    tellOwners(events, gone, rescued);
    for (const job of rescued) publishJobEnd(events, job, { state: job.state });
    onFreed(rescued.flatMap(({ gates }) => gates ?? []));
    if (rescued.length > 0) onRescued();
    return rescued.length === AT_ONCE ? 0 : LOOK_AGAIN_MS;
  };
}

function tellOwners(events: Events, gone: readonly SilentOwner[], rescued: readonly RescuedJob[]): void {
  for (const { owner, name } of gone) {
    const count = rescued.filter((job) => job.owner === owner).length;
    if (count > 0) events.publish('owner.rescued', { owner, name, count });
  }
}
