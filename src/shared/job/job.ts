/**
 * The words of the system: what a job and a job type are; its states stand in transitions.ts. Types only, no behaviour.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ErrorOrigin } from '../base/error-origin.ts';
import type { Trace } from './trace.ts';
import type { EndState, JobState } from './transitions.ts';

/** How long jobs that have ended are kept, in milliseconds, by the state that they ended in. Null: for ever. */
export type Retention = Record<EndState, number | null>;

/** One failed attempt, as the job's history keeps it. */
export interface AttemptError extends ErrorOrigin {
  attempt: number;
  /** RFC 3339, from the database's clock. */
  at: string;
  message: string;
}

/** A job as Postgres holds it. Ids are decimal strings: a bigint does not fit into a JavaScript number. */
export interface Job {
  id: string;
  type: string;
  queue: string;
  state: JobState;
  args: unknown;
  /** How many attempts were charged so far; 0 before the first. */
  attempt: number;
  maxAttempts: number;
  runAt: Date;
  createdAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  uniqueKey: string | null;
  output: unknown;
  errors: AttemptError[];
}

/** The trace is carried to the job's context and log lines; what is malformed of it is left out. */
export interface EnqueueOptions extends Trace {
  /** Defaults to the job type's queue. */
  queue?: string | undefined;
  /** When to run it, RFC 3339; wins over `delayMs`. Defaults to now. */
  runAt?: string | undefined;
  /** Milliseconds to wait before it runs, from the insert on; within a transaction of the caller's, from the start of that (`now()` of Postgres). Defaults to 0. */
  delayMs?: number | undefined;
  /** Attempts in all. Defaults to the job type's. */
  maxAttempts?: number | undefined;
  /** At most one live job of the type has this key. Defaults to none. */
  uniqueKey?: string | undefined;
}

export interface Enqueued {
  job: Job;
  /** False: a live job held the unique key already, and `job` is that one. */
  created: boolean;
}

/**
 * A job type: what its arguments are, where and how often it runs, and what it does. `Args` is what the handler gets, `Input` what is given at
 * enqueue, before the schema's defaults; `Services` what it needs of its application.
 */
export interface JobDefinition<Args = unknown, Input = Args, Services = unknown> {
  /** A verb and a noun, as `send-invoice`; travels with every message. */
  type: string;
  queue: string;
  /** A Standard Schema. Checked at enqueue (a mismatch is refused) and again before the handler runs. */
  args: StandardSchemaV1<Input, Args>;
  /** Paths into the arguments that are shown to nobody (redaction.ts), as `headers.*`. */
  redact?: readonly string[] | undefined;
  /** Attempts in all, the first included. */
  maxAttempts: number;
  /** One attempt may take this long, in milliseconds; then its signal aborts and it counts as failed. */
  timeoutMs: number;
  /** The wait after failed attempt `attempt` (from 1), in milliseconds. */
  backoffMs(attempt: number): number;
  /** How long its jobs are kept after their end, in milliseconds; null: for ever. What is left out is as the settings have it. */
  retention?: Partial<Retention> | undefined;
  /**
   * Several applications on a database have this type, with the same handler, each with a queue and limits of its own: that these differ is
   * told of in the log, and keeps no program from starting. Defaults to false.
   */
  shared?: boolean | undefined;
  /** Does the work. The returned value is the job's output; a thrown error fails the attempt. */
  perform(args: Args, context: JobContext<Services>): Promise<unknown>;
}

/**
 * What a handler is given beside its arguments; the trace is that of the request that enqueued the job. Small enough for a test to write by hand.
 */
export interface JobContext<Services = unknown> extends Readonly<Trace> {
  jobId: string;
  /** The number of this attempt, from 1. */
  attempt: number;
  maxAttempts: number;
  /** Grows with every claim of this job; use it to fence effects outside of Warren's database. */
  fence: number;
  /** Aborts at the timeout, at a cancel and at the end of the drain time. */
  readonly signal: AbortSignal;
  /** Lines in the process's log that carry the job's id, its type and the number of the attempt. */
  readonly log: JobLog;
  /** What `defineApp` was given as `services`. */
  readonly services: Services;
}

export type JobLogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Each takes a sentence, and perhaps an object: an error, or whatever else stands in the line as `details`. */
export type JobLog = Record<JobLogLevel, (message: string, details?: object) => void>;

/** The context of the job types that ship with Warren: they are configured by the process's settings. */
export interface ShippedJobContext extends JobContext {
  settings: JobSettings;
}

/** The part of the process's settings that the job types that ship with Warren see. */
export interface JobSettings {
  webhookAllowPrivate: boolean;
  /** `host:port`: called although they are not public. */
  webhookAllowedDestinations: readonly string[];
  /** `address` or `address:port`; those of the system where there are none. */
  webhookNameservers: readonly string[];
  /** `whsec_` and base64, as Standard Webhooks has it, newest first; no signature where there is none. */
  webhookSecrets: readonly string[];
}
