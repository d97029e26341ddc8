/**
 * Why a delivery does not get its job, from where the job stands. Pure.
 */
import { isEnd, timedStates } from '#shared/job/transitions.ts';
import type { Standing } from '#shared/postgres/statements/read.ts';

/**
 * Why a job is not claimed. Its message is acknowledged, save for `unknown`: no such row, somebody should know; and for `foreign`: the job waits or
 * runs, and is of a type that this worker does not know.
 */
export type Refusal =
  | {
      kind: 'refused';
      reason: 'twice' | 'ended' | 'not-due' | 'runs-here' | 'runs-elsewhere' | 'waits' | 'unknown';
    }
  | { kind: 'refused'; reason: 'foreign'; type: string };

/** Whether the job may still need a message, although this one is acknowledged: that is noted in its row. */
export function isMessageSpent({ reason }: Refusal): boolean {
  return reason === 'runs-here' || reason === 'runs-elsewhere' || reason === 'waits';
}

/** Of a job that another holds, or that cannot run. `types`: those that this worker knows. */
export function toRefusal({ state, type }: Standing, types: ReadonlySet<string>): Refusal {
  if (isEnd(state)) return { kind: 'refused', reason: 'ended' };
  if (timedStates.includes(state)) return { kind: 'refused', reason: 'not-due' };
  if (!types.has(type)) return { kind: 'refused', reason: 'foreign', type };
  if (state === 'running') return { kind: 'refused', reason: 'runs-elsewhere' };
  return { kind: 'refused', reason: 'waits' }; // its queue is paused, or it has become available just now
}
