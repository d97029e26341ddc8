/**
 * Jobs that belong together, as they are shown. Types only, no behaviour.
 */
import type { JobState } from './transitions.ts';

/** `running`: some of its jobs live, or it is open. `completed`: all have completed. `failed`: all have ended, not all well. `cancelled`: by an act on it. */
export const batchStates = ['running', 'completed', 'failed', 'cancelled'] as const;
export type BatchState = (typeof batchStates)[number];

/** What is enqueued when something has become of a batch. */
export interface BatchCallbacks<Job> {
  /** When the first of its jobs is discarded. */
  onFirstFailure?: Job | undefined;
  /** When all its jobs have completed. */
  onSuccess?: Job | undefined;
  /** When all its jobs have ended, however. */
  onEnd?: Job | undefined;
}

export interface Batch {
  id: string;
  state: BatchState;
  /** It does not end before it is closed. */
  open: boolean;
  /** Jobs that belong to it now; more may come while it runs. */
  total: number;
  /** Of its jobs by state; states without any are left out. */
  counts: Partial<Record<JobState, number>>;
  /** How many of its jobs have ended, 0 to 1; 0 where it has none. */
  done: number;
  createdAt: Date;
  finishedAt: Date | null;
}

/** In a list, the jobs of a batch that runs are not counted: null. */
export interface ListedBatch extends Omit<Batch, 'total' | 'counts' | 'done'> {
  total: number | null;
  counts: Batch['counts'] | null;
}
