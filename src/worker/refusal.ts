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
      reason:
        | 'twice'
        | 'ended'
        | 'not-due'
        | 'expired'
        | 'runs-here'
        | 'runs-elsewhere'
        | 'waits'
        | 'other-queue'
        | 'unknown';
    }
  | { kind: 'refused'; reason: 'foreign'; type: string };

/** Whether the job may still need a message, although this one is acknowledged: that is noted in its row. */
export function isMessageSpent({ reason }: Refusal): boolean {
  return reason === 'runs-here' || reason === 'runs-elsewhere' || reason === 'waits';
}

/**
 * Whether the delivery that gets this is the permit of another job of its queue: its own job needs it no more (it has ended, was moved to another queue,
 * or is deleted), or has been passed over. A forged one starts an owed job sooner.
 */
export function mayStartAnother(result: { kind: string; reason?: string }): boolean {
  const { kind, reason } = result;
  return kind === 'refused' && reason !== 'foreign';
}

/** Of a job that another holds, or that cannot run. `types`: those that this worker knows. `queue`: of the delivery. */
export function toRefusal(
  { state, type, queue: place, isLate }: Standing,
  { types, queue = place }: { types: ReadonlySet<string>; queue?: string | undefined },
): Refusal {
  if (queue !== place) return { kind: 'refused', reason: 'other-queue' }; // it was moved and has another message, or this one is forged
  if (isEnd(state)) return { kind: 'refused', reason: 'ended' };
  if (timedStates.includes(state) || state === 'held') return { kind: 'refused', reason: 'not-due' };
  if (state === 'available' && isLate) return { kind: 'refused', reason: 'expired' }; // the leader ends it
  if (!types.has(type)) return { kind: 'refused', reason: 'foreign', type };
  if (state === 'running') return { kind: 'refused', reason: 'runs-elsewhere' };
  return { kind: 'refused', reason: 'waits' }; // it is paused, or it has become available just now
}
