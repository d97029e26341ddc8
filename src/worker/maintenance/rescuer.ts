/**
 * Gives back the running jobs of workers that have died, where no message tells of them any more.
 *
 * An owner counts as dead when its advisory lock was free at every look for two seconds: one that only reconnects gets its lock back sooner. After
 * a pause between looks, in which Postgres was away perhaps, the count begins anew. (A redelivered message is a second witness; then the claim
 * takes over at once.)
 */
import { publishEvent } from '#shared/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { findDeadOwners, rescueJobs } from '#shared/postgres/job-maintenance.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AGAIN_MS = 1_000;
const DEAD_AFTER_MS = 2_000;
/** Looks that are farther apart than this do not count as one. */
const MAX_GAP_MS = 2_500;
const BATCH = 1_000;

/** `onRescued` is called when rows wait for the relay. */
export function createRescuer({ database, onRescued }: { database: Database; onRescued: () => void }): Chore {
  let deadSince = new Map<string, number>();
  let lookedAt = 0;
  return async () => {
    const dead = await database.query(findDeadOwners);
    const now = performance.now();
    if (now - lookedAt > MAX_GAP_MS) deadSince = new Map();
    lookedAt = now;
    deadSince = new Map(dead.map((owner) => [owner, deadSince.get(owner) ?? now]));
    const gone = dead.filter((owner) => now - (deadSince.get(owner) ?? now) >= DEAD_AFTER_MS);
    if (gone.length === 0) return LOOK_AGAIN_MS;
    const rescued = await database.query((sql) => rescueJobs(sql, gone, BATCH));
    publishEvent('maintenance.done', { task: 'rescuer', count: rescued.length });
    if (rescued.length > 0) onRescued();
    return rescued.length === BATCH ? 0 : LOOK_AGAIN_MS;
  };
}
