/**
 * What happens to jobs, as those hear of it who watch, in whichever process: types and bounds only, no behaviour.
 */
import type { JobLogLevel } from './job-note.ts';
import type { JobState } from './transitions.ts';

/**
 * `failed`: an attempt has failed, and another one follows. `waiting`: it waits again, or waits for something else (it was snoozed, handed back, promoted, let
 * through its gates, retried by a person). `ended`: it is completed, cancelled or discarded.
 */
export const jobStateEvents = [
  'job.enqueued',
  'job.started',
  'job.failed',
  'job.waiting',
  'job.ended',
] as const;
export const jobEventKinds = [...jobStateEvents, 'job.progressed', 'job.logged'] as const;
export type JobEventKind = (typeof jobEventKinds)[number];

interface Happened {
  /** RFC 3339, from the database's clock. */
  at: string;
  jobId: string;
  type: string;
  queue: string;
  attempt: number;
}

export type JobEvent = Happened &
  (
    | { kind: (typeof jobStateEvents)[number]; state: JobState; error?: string }
    | { kind: 'job.progressed'; share: number; text: string | null }
    | { kind: 'job.logged'; level: JobLogLevel; message: string }
  );

/** Any of each list, all that are given together; what is left out is any. */
export interface EventFilter {
  jobs?: readonly string[] | undefined;
  queues?: readonly string[] | undefined;
  types?: readonly string[] | undefined;
  kinds?: readonly JobEventKind[] | undefined;
}

/**
 * What a watcher gets. `ready`: nothing that is committed from now on is missed. `reset`: something may have been missed, look at the jobs; `slow`: the
 * watcher did not keep up, and this is its last item. `idle`: nothing has happened for some seconds. `position`: where a later watch with the same filter
 * can go on (`from`).
 */
export type WatchItem = { position: string } & (
  | JobEvent
  | { kind: 'ready' }
  | { kind: 'reset'; reason: 'missed' | 'slow' }
  | { kind: 'idle' }
);

/** Values in each list of a filter. */
export const MAX_FILTER_VALUES = 20;
