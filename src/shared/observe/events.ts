/**
 * What happens in an instance of Warren (a program, or an object that an application holds): the one seam of observability. The code that works
 * publishes and knows nobody; log, metrics, dashboard and tests subscribe.
 *
 * Guarantees: nothing is shared between two `Events`; listeners are called at once and in the order in which they subscribed; where nobody listens
 * a message costs a look-up. A listener that throws hurts neither the publisher nor other listeners: Node warns of it once for each listener
 * (`process.on('warning')`, standard error), however often it throws.
 */
import type { ErrorOrigin } from '../base/error-origin.ts';
import { errorMessage } from '../base/errors.ts';
import type { JobLogLevel } from '../job/job-note.ts';
import type { TickOutcome, TickReason } from '../job/schedule.ts';
import type { Trace } from '../job/trace.ts';
import type { EndState, JobState, PersonsAct } from '../job/transitions.ts';

export interface EventMessages {
  /** Jobs were committed. `count` jobs of one type. */
  'job.enqueued': { type: string; queue: string; count: number };
  /** A job has come to its end, by a commit of this process. `error`: why it was discarded. */
  'job.ended': Trace & {
    jobId: string;
    type: string;
    queue: string;
    state: EndState;
    error: string | undefined;
    origin?: ErrorOrigin | undefined;
  };
  /** A person has done something to a job, by a commit of this process. `state` is the one after it; of a deleted job the last one. */
  'job.acted': { jobId: string; type: string; queue: string; act: PersonsAct; state: JobState };
  /** A job has not started by the time at which it expires, and was discarded; `job.ended` follows. */
  'job.expired': Trace & { jobId: string; type: string; queue: string };
  /** A handler is about to run. `waitMs`: from the time the job was due. */
  'attempt.started': Trace & { jobId: string; type: string; queue: string; attempt: number; waitMs: number };
  /** The handler has ended or was given up. `outcome` is the state that was asked for, `durationMs` the handler's time. */
  'attempt.finished': Trace & {
    jobId: string;
    type: string;
    queue: string;
    attempt: number;
    outcome: string;
    durationMs: number;
    error: string | undefined;
    /** Of the error: its stack and its causes. */
    origin?: ErrorOrigin | undefined;
    /** Until the next attempt of one that failed. */
    retryInMs?: number | undefined;
  };
  /** The outcome was refused: the attempt had lost its claim. */
  'attempt.fenced': Trace & { jobId: string; type: string; attempt: number };
  /** A handler went on after its attempt was over (`running` true), or has ended at last (false). */
  'attempt.abandoned': Trace & { jobId: string; type: string; running: boolean };
  /** A handler has said something: a line of the log. */
  'handler.logged': Trace & {
    jobId: string;
    type: string;
    attempt: number;
    level: JobLogLevel;
    message: string;
    details?: object;
    /** An error that it has said something about, instead of details. */
    error?: string;
    origin?: ErrorOrigin | undefined;
  };
  /** A handler has told how far it has come: `share`, 0 to 1. */
  'handler.progressed': { jobId: string; type: string; attempt: number; share: number; text: string | null };
  /**
   * A worker program has done enough: it drains, exits with 0 and is started anew. `limit`: what it has drawn for this reason, in jobs, MiB or milliseconds;
   * `jobs` is 0 where they are not counted.
   */
  'worker.renewing': {
    reason: 'jobs' | 'memory' | 'time';
    limit: number;
    jobs: number;
    memoryMb: number;
    ms: number;
  };
  /** The application's services could not be made (they are tried again), or not be disposed of. */
  'services.failed': { when: 'made' | 'disposed'; error: unknown };
  /** A write could not be made and is tried again. */
  'write.retried': { what: string; retry: number; error: unknown };
  /** The broker delivered a message, of so many jobs. */
  'delivery.received': { queue: string; redelivered: boolean; jobs: number };
  /**
   * A delivery that started nothing: the job had ended, runs elsewhere, is not due, does not exist, or is of a type that this worker does not know.
   */
  'delivery.suppressed': { jobId: string; reason: string };
  /** A delivery that no worker can use went to `warren.dead`. */
  'delivery.dead-lettered': { jobId: string; queue: string; reason: string };
  /** The ids of `count` jobs waited too long for a slot, and were published again for whichever worker has room. */
  'hints.passed-on': { queue: string; count: number };
  /** The broker has the messages of `count` jobs in their queue. */
  'publish.confirmed': { count: number };
  /** The broker had no queue for the message. `jobId`: the first of its jobs. */
  'publish.returned': { jobId: string; queue: string };
  /** The message of a job was not confirmed, or not sent; the relay repeats it. */
  'publish.failed': { jobId: string; error: unknown };
  /** An HTTP request was answered. `route` is the route's pattern, or `none`. */
  'request.finished': { method: string; route: string; status: number; durationMs: number };
  /** A gRPC call has ended. `method`: `warren.v1.Jobs/Get`, say; `code`: the name of its status, as `OK`. */
  'rpc.finished': { method: string; code: string; durationMs: number };
  /** An HTTP request ended in a 500: a fault of ours. */
  'request.failed': Trace & { method: string; path: string; error: unknown };
  /** An HTTP request ended in a 503: the API, or a server behind it, is busy, away or not seen yet. */
  'request.unavailable': Trace & { code: string; error: unknown };
  /** Somebody acted on jobs or queues, or has signed in or out. `token` is the token's name. */
  'access.acted': Trace & { token: string; role: string; method: string; path: string; status: number };
  /** How an act went could not be noted in the audit; that it was begun stands there. */
  'audit.failed': { act: string; error: unknown };
  /** A request was refused: no token, a wrong one (`token` undefined), or a role that does not suffice. */
  'access.refused': Trace & { token: string | undefined; method: string; path: string; reason: string };
  /** The list of tokens was read and is in force. `tokens`: their names and roles. */
  'access.tokens-read': { tokens: readonly string[] };
  /** The list of tokens cannot be read or is wrong; the last good one stays in force. */
  'access.tokens-refused': { path: string; problem: string };
  /** No connection to Postgres was free for a statement in time, or too many wait for one: the pool is too small for what is asked of it. */
  'pool.exhausted': Record<string, never>;
  /** A connection to RabbitMQ is open and prepared. */
  'broker.connected': { connection: string; reconnect: boolean };
  /** A connection to RabbitMQ was lost (`retries` 0) or could not be opened; it is tried again. */
  'broker.disconnected': { connection: string; retries: number; error: unknown };
  /** RabbitMQ has a resource alarm (`blocked` true), or none any more. */
  'broker.blocked': { connection: string; blocked: boolean; reason: string };
  /** The broker sends deliveries to this consumer. */
  'consumer.ready': { tag: string; queue: string };
  /** A consumer has lost its channel, or could not register though there is a connection; it registers again. */
  'consumer.lost': { tag: string; queue: string; reason: string };
  /** Where this worker takes its jobs from, from now on: by message from RabbitMQ, or straight from Postgres. */
  'lane.changed': { lane: 'rabbitmq' | 'postgres' };
  /** This worker holds its advisory lock (again). */
  'presence.held': { owner: string };
  /** This worker has lost its advisory lock; it is taken again. */
  'presence.lost': { error: unknown };
  /** Postgres had crashed, and has undone `count` claims of this worker, which it has made again; their handlers went on. */
  'claims.restored': { count: number };
  /**
   * This worker runs `count` jobs of a dead one now, whose number and name these are. `ms`: from the first of their messages that came back to the
   * last start.
   */
  'owner.taken-over': { owner: string; name: string; count: number; ms: number };
  /** `count` jobs of a dead or frozen worker wait for another one: their messages were gone too. */
  'owner.rescued': { owner: string; name: string; count: number };
  /**
   * No living worker has run jobs of this type in this queue for ten minutes, and so many wait (`unserved` true); or one does again, or none waits
   * (false). Told by the leader.
   */
  'type.unserved': { queue: string; type: string; jobs: number; unserved: boolean };
  /**
   * Another application on the database has told of this job type with another queue or other limits (`there`) than this one (`here`). Told at the
   * start; a program that may not run beside the other one ends instead.
   */
  'type.differs': { type: string; app: string; here: string; there: string };
  /** So many lines of the log were dropped: the output is full, stuck or gone, or an isolated handler says more than its worker can take. */
  'log.dropped': { lines: number };
  /** The log is written again, after so many lines were dropped. */
  'log.recovered': { lines: number };
  /**
   * What became of a tick of a schedule, by a commit of this process. `tick` and `until` are RFC 3339; `until` where the message stands for many that were
   * missed: the last of them. `lateMs`: from the tick to its decision.
   */
  'schedule.ticked': {
    schedule: string;
    tick: string;
    until: string | null;
    outcome: TickOutcome;
    reason: TickReason | null;
    lateMs: number;
  };
  /** A schedule was removed: it is gone from the code of its application. Told by the leader. */
  'schedule.removed': { schedule: string };
  /** A round of a chore failed, so many times in a row by now; it is tried again. */
  'maintenance.failed': { task: string; failures?: number; error: unknown };
  /** A chore goes on that had failed so many times in a row. */
  'maintenance.recovered': { task: string; failures: number };
  /** A chore handled `count` jobs: relayed, promoted, rescued or deleted. */
  'maintenance.done': { task: string; count: number };
}

export type EventName = keyof EventMessages;

type Listener = (message: unknown) => void;

export class Events {
  /** Replaced when it changes, so that a listener may end its own subscription while it is called. */
  readonly #listeners = new Map<EventName, readonly Listener[]>();
  readonly #failed = new WeakSet<Listener>();

  publish<Name extends EventName>(name: Name, message: EventMessages[Name]): void {
    const listeners = this.#listeners.get(name);
    if (listeners === undefined) return;
    for (const listener of listeners) {
      try {
        listener(message);
      } catch (error) {
        this.#warn(name, listener, error);
      }
    }
  }

  /** Returns a function that ends the subscription. */
  subscribe<Name extends EventName>(
    name: Name,
    listener: (message: EventMessages[Name]) => void,
  ): () => void {
    const own: Listener = (message) => listener(message as EventMessages[Name]);
    this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), own]);
    return () => {
      const others = this.#listeners.get(name)?.filter((other) => other !== own) ?? [];
      if (others.length > 0) this.#listeners.set(name, others);
      else this.#listeners.delete(name);
    };
  }

  #warn(name: EventName, listener: Listener, error: unknown): void {
    if (this.#failed.has(listener)) return;
    this.#failed.add(listener);
    process.emitWarning(`a listener of "${name}" throws: ${errorMessage(error)}`, 'WarrenWarning');
  }
}
