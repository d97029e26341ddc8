/**
 * The words of the system: what a job and a job type are; its states stand in transitions.ts. Types only, no behaviour.
 */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { ErrorOrigin } from '../base/error-origin.ts';
import type { JobLogLevel, JobProgress } from './job-note.ts';
import type { CarriedTrace } from './trace.ts';
import type { TransactionSql } from './transaction.ts';
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
  /** 0 to 9, the higher first. */
  priority: number;
  group: string | null;
  orderingKey: string | null;
  tags: string[];
  /** The limits that it counts against: `name` or `name:key`. */
  limits: string[];
  /** Not started by then, never started. */
  expiresAt: Date | null;
  /** The batch that it belongs to. */
  batch: string | null;
  output: unknown;
  errors: AttemptError[];
  /** Of the trace that it was enqueued in; only where there is one, and only of a job that is looked up by its id. */
  traceId?: string | null | undefined;
  /** How far its current attempt has come; only where its handler has told, and only of a job that is looked up by its id. */
  progress?: JobProgress | null | undefined;
}

/** The trace is carried to the job's context and log lines; what is malformed of it is left out. */
export interface EnqueueOptions extends CarriedTrace {
  /** Defaults to the job type's queue. */
  queue?: string | undefined;
  /** When to run it, RFC 3339; wins over `delayMs`. Defaults to now. */
  runAt?: string | undefined;
  /** Milliseconds to wait before it runs, from the insert on; within a transaction of the caller's, from the start of that (`now()` of Postgres). Defaults to 0. */
  delayMs?: number | undefined;
  /** Attempts in all. Defaults to the job type's. */
  maxAttempts?: number | undefined;
  /** At most one live job of the type has this key: short for `unique: { key }`. Defaults to none. */
  uniqueKey?: string | undefined;
  /** At most one job of the type has its key, for as long as it says. Not together with `uniqueKey`. Defaults to the job type's. */
  unique?: Unique | undefined;
  /** 0 to 9, the higher first. Defaults to the job type's. */
  priority?: number | undefined;
  /** The groups of a queue take turns: a customer, say. Defaults to the job type's. */
  group?: string | undefined;
  /** Jobs of a queue with the same key run one after the other, in the order in which they were enqueued. Defaults to the job type's. */
  orderingKey?: string | undefined;
  /** To find it by. Defaults to none. */
  tags?: readonly string[] | undefined;
  /** The limits that it counts against: `name` or `name:key`. Defaults to the job type's. */
  limits?: readonly string[] | undefined;
  /** Not started by then, never started; RFC 3339. Defaults to the job type's. */
  expiresAt?: string | undefined;
  /** A batch that has not ended, which the job is to belong to. Defaults to none. */
  batch?: string | undefined;
}

/**
 * How long a job holds its unique key: `live`: until it ends; `waiting`: until it starts; `ms`: for that time from its enqueue, whatever becomes of it.
 * Keys that are held for different reasons do not see each other.
 */
export type UniqueFor = 'live' | 'waiting' | { ms: number };

/** What becomes of a job whose unique key is held. A holder that runs is kept, whatever was asked for. */
export const onConflicts = ['keep', 'replace', 'postpone', 'merge'] as const;
export type OnConflict = (typeof onConflicts)[number];

export interface Unique {
  key: string;
  /** Defaults to `live`. */
  for?: UniqueFor | undefined;
  /**
   * `keep`: the holder stays as it is. `replace`: it gets the new job's arguments and options. `postpone`: that, and the new job's time. `merge`: its
   * arguments are merged with the new ones. Defaults to `keep`.
   */
  onConflict?: OnConflict | undefined;
}

export interface Enqueued {
  job: Job;
  /** False: another job held the unique key already, and `job` is that one. */
  created: boolean;
  /** What became of the holder, where there was one: a running one is kept, whatever was asked for. */
  conflict?: 'kept' | 'replaced' | 'postponed' | 'merged' | undefined;
}

/** What an error must be for a rule: of this class, or an error of this name. */
export type ErrorKind = string | (abstract new (...args: never[]) => unknown);

/** After such an error. What is left out is as after any other. */
export interface RetryRule {
  on: ErrorKind;
  /** Attempts in all; 1: such an error discards the job at once. */
  maxAttempts?: number | undefined;
  /** The wait before the next attempt, in milliseconds. Wins over `backoffMs`. */
  delayMs?: number | undefined;
  /** The same by the number of the attempt that has failed, from 1. */
  backoffMs?: ((attempt: number) => number) | undefined;
}

/**
 * The first rule that fits counts. A function returns the wait before the next attempt in milliseconds, `false` for no further attempt, or undefined for
 * what is usual.
 */
export type RetryPolicy =
  | readonly RetryRule[]
  | ((error: unknown, attempt: number) => number | false | undefined);

/** Where the handlers of a type run: in the worker itself, or in threads or processes of the type's own (docs/isolation.md). */
export type IsolationKind = 'inline' | 'thread' | 'process';

/** What the threads or processes of a job type may take, in each worker. */
export interface IsolationLimits {
  /** How many there are at most, each with one attempt at a time: 1 to 100. Defaults to 4. */
  concurrency?: number | undefined;
  /** Megabytes that each may have, at least 32. Of a thread its JavaScript heap; of a process that, and all that it holds. Defaults to 512. */
  memoryMb?: number | undefined;
  /** How long one that has nothing to do is kept, in milliseconds; 0: each attempt has a new one. Defaults to 60 000. */
  idleMs?: number | undefined;
  /** How far they stand back where the processor is busy, 0 to 19; threads on Linux alone. Defaults to 10. */
  niceness?: number | undefined;
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
  /** Its arguments and outputs are encrypted in Postgres, and shown to nobody but the application's own code (docs/encryption.md). Defaults to false. */
  encrypted?: boolean | undefined;
  /** Attempts in all, the first included. */
  maxAttempts: number;
  /** One attempt may take this long, in milliseconds; then its signal aborts and it counts as failed. */
  timeoutMs: number;
  /** The wait after failed attempt `attempt` (from 1), in milliseconds. */
  backoffMs(attempt: number): number;
  /** How long its jobs are kept after their end, in milliseconds; null: for ever. What is left out is as the settings have it. */
  retention?: Partial<Retention> | undefined;
  /** Of its jobs, where the enqueue says nothing else: the members of `EnqueueOptions` with these names. Defaults to none. */
  priority?: number | undefined;
  limits?(args: Args): readonly string[];
  group?(args: Args): string | undefined;
  orderingKey?(args: Args): string | undefined;
  unique?(args: Args): Unique | undefined;
  merge?(old: Args, given: Args): Args;
  /** So long after a job came due it has expired, where it has not started, in milliseconds. Defaults to never. */
  expiresInMs?: number | undefined;
  /** All attempts of a job and the waits between them may take this long, from the time when it came due, in milliseconds. Defaults to any time. */
  totalTimeoutMs?: number | undefined;
  /** What becomes of a job after an error, where it is not as after any other. Defaults to `maxAttempts` and `backoffMs` for all. */
  retry?: RetryPolicy | undefined;
  /**
   * Several applications on a database have this type, with the same handler, each with a queue and limits of its own: that these differ is
   * told of in the log, and keeps no program from starting. Defaults to false.
   */
  shared?: boolean | undefined;
  /** Defaults to `inline`. */
  isolation?: IsolationKind | undefined;
  isolationLimits?: IsolationLimits | undefined;
  /** Does the work. The returned value is the job's output; a thrown error fails the attempt. */
  perform(args: Args, context: JobContext<Services>): Promise<unknown>;
}

/**
 * What a handler is given beside its arguments; the trace is that of the request that enqueued the job. Small enough for a test to write by hand.
 */
export interface JobContext<Services = unknown> extends Readonly<CarriedTrace> {
  jobId: string;
  /** The number of this attempt, from 1. */
  attempt: number;
  maxAttempts: number;
  /** Grows with every claim of this job; use it to fence effects outside of Warren's database. */
  fence: number;
  /** The batch that the job belongs to, or whose callback it is; a member may enqueue more members. */
  batchId?: string | undefined;
  /** Aborts at the timeout, at a cancel and at the end of the drain time. */
  readonly signal: AbortSignal;
  /** Lines in the process's log that carry the job's id, its type and the number of the attempt; they are kept with the job, too (docs/progress-and-logs.md). */
  readonly log: JobLog;
  /** Tells how far this attempt has come, 0 to 1, and perhaps a few words. Costs next to nothing: the latest is stored, some times a second. Throws `RangeError` where `share` is no number. */
  progress(share: number, text?: string): void;
  /** What `defineApp` was given as `services`. */
  readonly services: Services;
  /**
   * Runs `work` in a transaction in which the job's end is recorded, too: what it returns is the job's output. Both are committed or neither is. When it
   * resolves the job has ended; what the handler returns or throws after that changes nothing (docs/transactions.md).
   */
  transaction<Output>(work: (sql: TransactionSql) => Promise<Output>): Promise<Output>;
}

/** Each takes a sentence, and perhaps an object: an error, or whatever else stands in the line as `details`. */
export type JobLog = Record<JobLogLevel, (message: string, details?: object) => void>;

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
