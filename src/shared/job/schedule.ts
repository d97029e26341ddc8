/**
 * The words of schedules: what one is, what becomes of its ticks. Types and constants only, no behaviour.
 */
import type { EnqueueOptions, JobDefinition, Unique } from './job.ts';

/** A job of the schedule before has not ended when the next tick comes: both run, the tick is skipped, it waits for its turn, or the earlier one is cancelled. */
export const overlaps = ['allow', 'skip', 'queue', 'cancel-previous'] as const;
export type Overlap = (typeof overlaps)[number];

/** Ticks passed while no worker led: none of them is enqueued, the last one, or all (the last thousand). */
export const catchUps = ['none', 'last', 'all'] as const;
export type CatchUp = (typeof catchUps)[number];

export const tickOutcomes = ['enqueued', 'skipped', 'missed'] as const;
export type TickOutcome = (typeof tickOutcomes)[number];

export const tickReasons = [
  'run-now', // enqueued, because somebody asked for it
  'paused',
  'overlap', // the job before had not ended
  'superseded', // a later tick of the same moment has taken its place
  'unique-key', // a live job holds the unique key of its options
  'outage', // missed: no worker led when it was due, and `catchUp` does not bring it back
  'beyond-catch-up', // missed: older than the last thousand
  'redefined', // missed: the times of the schedule were changed before anybody led again
] as const;
export type TickReason = (typeof tickReasons)[number];

/** When it ticks: one of the three. */
export interface Timing {
  /** Five fields, or six with the seconds first. */
  cron?: string | undefined;
  /** Milliseconds, counted from 1970 on: every 60 000 is each whole minute. */
  everyMs?: number | undefined;
  /** Once. RFC 3339. */
  at?: string | undefined;
  /** An IANA name, for `cron`. Defaults to UTC. */
  timezone?: string | undefined;
}

export type ScheduledJobOptions = Omit<
  EnqueueOptions,
  'runAt' | 'delayMs' | 'expiresAt' | 'traceparent' | 'tracestate' | 'requestId' | 'baggage' | 'unique'
> & { unique?: Omit<Unique, 'onConflict'> | undefined };

/** What a schedule is made of beside its times. */
export interface ScheduleSettings {
  /** Defaults to `skip`. */
  overlap?: Overlap | undefined;
  /** Defaults to `last`. */
  catchUp?: CatchUp | undefined;
  /** Each job is due up to so many milliseconds after its tick, by chance. Defaults to 0. */
  jitterMs?: number | undefined;
  /** Of each job, as at any enqueue, save for its time. */
  options?: ScheduledJobOptions | undefined;
}

/** A schedule as code defines it. */
export interface ScheduleDefinition extends Timing, ScheduleSettings {
  /** `[a-z0-9_-]{1,60}`, one in the whole database. */
  name: string;
  job: JobDefinition;
  /** What the job type's schema takes. */
  args: unknown;
}

/** What became of a tick. */
export interface Tick {
  at: Date;
  /** Where it stands for many that were missed: the last of them. */
  until: Date | null;
  outcome: TickOutcome;
  /** Why; null where it was enqueued in its time. */
  reason: TickReason | null;
  jobId: string | null;
  decidedAt: Date;
}

/** A schedule as the database has it. */
export interface Schedule {
  name: string;
  /** Whose program has defined it. */
  app: string;
  cron: string | null;
  everyMs: number | null;
  at: Date | null;
  timezone: string;
  type: string;
  args: unknown;
  options: ScheduledJobOptions;
  overlap: Overlap;
  catchUp: CatchUp;
  jitterMs: number;
  paused: boolean;
  definedInCode: boolean;
  /** The ten next ticks by the database's clock; fewer where no more will come. */
  next: Date[];
  /** Null where none was decided yet, or its history is kept no longer. */
  lastTick: Tick | null;
}
