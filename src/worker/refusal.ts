/**
 * Why a delivery does not get its job, from where the job stands. Pure.
 */
import { isEnd, timedStates } from '#shared/job/transitions.ts';
import type { Standing } from '#shared/postgres/statements/read.ts';

/**
 * Why a job is not claimed. Its message is spent, save for `unknown`: no such row, somebody should know; and for `foreign`: the job waits or runs, and is
 * of a type that this worker does not know.
 */
export type Refusal =
  | { reason: 'twice' | 'ended' | 'not-due' | 'runs-here' | 'runs-elsewhere' | 'waits' | 'unknown' }
  | { reason: 'foreign'; type: string };

/** Of a job that another holds, or that cannot run. `types`: those that this worker knows. */
export function toRefusal({ state, type }: Standing, types: ReadonlySet<string>): Refusal {
  if (isEnd(state)) return { reason: 'ended' };
  if (timedStates.includes(state)) return { reason: 'not-due' };
  if (!types.has(type)) return { reason: 'foreign', type };
  return { reason: state === 'running' ? 'runs-elsewhere' : 'waits' }; // its queue is paused, or it has become available just now
}
