/**
 * Enqueues the jobs of schedules when their ticks come, to a few milliseconds.
 *
 * It sleeps until the next tick, at most a second, and five where there is no schedule: one that is set meanwhile and ticks sooner comes with a notice
 * (`due`). A second leader, or one that wakes after its term, does no harm: who decides a tick holds the schedule's row.
 */
import type { TickerParts } from '#queue/schedules/decide-ticks.ts';
import { decideTicks } from '#queue/schedules/decide-ticks.ts';
import { nextTickMs } from '#shared/postgres/statements/schedule-ticks.ts';
import type { Chore } from './maintenance.ts';

const LOOK_AHEAD_MS = 1_000;
const NO_TICKS_MS = 5_000;
/** When what is due is being decided by somebody. */
const HELD_MS = 20;

export function createTicker(parts: TickerParts): Chore {
  const { database, events } = parts;
  return async () => {
    const dueMs = await database.query(nextTickMs);
    if (dueMs === null) return NO_TICKS_MS;
    if (dueMs > LOOK_AHEAD_MS) return LOOK_AHEAD_MS;
    if (dueMs > 1) return dueMs;
    const count = await decideTicks(parts);
    if (count === 0) return HELD_MS;
    events.publish('maintenance.done', { task: 'ticker', count });
    return 0;
  };
}
