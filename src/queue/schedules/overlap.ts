/**
 * Which ticks are let in while a job of the schedule before has not ended. Pure.
 */
import type { Overlap } from '#shared/job/schedule.ts';
import type { PlannedTick } from './plan-ticks.ts';

/** Jobs of one schedule that may wait for each other. */
const MAX_QUEUED = 1_000;

/** How many jobs of the schedule may be there for one more to be let in. Of `cancel-previous` those that are there are cancelled. */
const roomFor: Record<Overlap, number> = {
  allow: Number.POSITIVE_INFINITY,
  skip: 1,
  queue: MAX_QUEUED,
  'cancel-previous': Number.POSITIVE_INFINITY,
};

/** `open`: the jobs of the schedule that have not ended. */
export function letInByOverlap(overlap: Overlap, ticks: readonly PlannedTick[], open: number): PlannedTick[] {
  let room = roomFor[overlap] - open;
  return ticks.map((tick) => {
    if (tick.not !== undefined) return tick;
    room -= 1;
    return room >= 0 ? tick : { ...tick, not: { outcome: 'skipped', reason: 'overlap' } };
  });
}
