/**
 * What people do to jobs that exist, each with all that follows from it: cancel (its end is told of, or its worker lets go), retry, run, edit and move (what
 * can run is published, what has gates comes to them), delete.
 *
 * Guarantees: what is answered has been committed; the change is made by one statement, which refuses where the state forbids it, so that a claim comes
 * before it or after it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Conflict, NotFound, Unavailable } from '#shared/base/errors.ts';
import { parseId } from '#shared/base/row-id.ts';
import type { App } from '#shared/job/app.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import type { Job } from '#shared/job/job.ts';
import type { PersonsAct } from '#shared/job/transitions.ts';
import { transition } from '#shared/job/transitions.ts';
import type { Events } from '#shared/observe/events.ts';
import { publishAct } from '#shared/observe/job-act.ts';
import type { Database, Sql } from '#shared/postgres/database.ts';
import { isUniqueViolation } from '#shared/postgres/failures.ts';
import type { ActedJob } from '#shared/postgres/statements/acts.ts';
import { byId, cancelJobs, deleteJobs, retryJobs, runJobs } from '#shared/postgres/statements/acts.ts';
import { holdAdmission } from '#shared/postgres/statements/admit.ts';
import type { JobChanges } from '#shared/postgres/statements/edit.ts';
import { editJobs } from '#shared/postgres/statements/edit.ts';
import { findJobs } from '#shared/postgres/statements/read.ts';
import { toChangedArguments } from './changed-arguments.ts';
import type { Enqueuer } from './enqueue.ts';
import type { CheckedJobChanges } from './enqueue-options.ts';
import { assertQueue } from './new-job.ts';

/** How long a cancel waits for the worker to let go, and how often it asks, in milliseconds. */
const CANCEL_WAIT_MS = 1_000;
const CANCEL_INTERVAL_MS = 50;

/** Ids may be any text. All throw `NotFound`, and `Unavailable` where nobody can tell now. */
export interface Control {
  /**
   * Cancels a job that has not ended. Resolves with the job as it is then: `cancelled`, as it has ended meanwhile, or `running` where its handler has not
   * let go within a second (it will be cancelled when it does). Throws `Conflict` where it has ended.
   */
  cancel(id: string): Promise<Job>;
  /**
   * Lets a job that has failed, was cancelled or waits to be retried run now, with these arguments where they are given. Throws `Conflict` where its state
   * or its unique key forbids it, `InvalidInput` where the arguments do not fit.
   */
  retry(id: string, changes?: { args?: unknown }): Promise<Job>;
  /** Lets a job that waits for its time run now; one with gates comes to them. Throws `Conflict` where it does not wait for a time. */
  run(id: string): Promise<Job>;
  /**
   * Changes a job that waits: all that is given, or nothing. Throws `Conflict` where it runs, has ended or has made as many attempts, `InvalidInput` where
   * the queue is unknown or the arguments do not fit.
   */
  edit(id: string, changes: CheckedJobChanges): Promise<Job>;
  /** Moves a job that waits to another queue. As `edit`. */
  move(id: string, queue: string): Promise<Job>;
  /** Deletes a job that does not run, and resolves with what it was. Throws `Conflict` where it runs. */
  delete(id: string): Promise<Job>;
}

export interface ControlOptions {
  database: Database;
  events: Events;
  app: Pick<App, 'definitions' | 'queues'>;
  outbox: Pick<Enqueuer, 'publish' | 'admit'>;
  /** Of encrypted job types. Defaults to no keys. */
  encryption?: Encryption | undefined;
}

/** What is said where an act cannot be done. */
const VERBS: Record<PersonsAct, string> = {
  cancel: 'cancelled',
  retry: 'retried',
  run: 'run now',
  edit: 'changed',
  delete: 'deleted',
};

export function createControl(options: ControlOptions): Control {
  const { database, events, outbox } = options;
  /** One act by one statement, and what follows from it. */
  const act = async (
    id: string,
    name: Exclude<PersonsAct, 'cancel'>,
    statement: (sql: Sql) => Promise<ActedJob[]>,
    {
      inTransaction = false,
      maxAttempts,
    }: { inTransaction?: boolean; maxAttempts?: number | undefined } = {},
  ) => {
    if (parseId(id) === null) throw noSuchJob();
    const [acted] = await (inTransaction ? database.transaction(statement) : database.query(statement)).catch(
      refuseHeldKey,
    );
    if (acted === undefined) throw refusal(await findJob(database, id), name, maxAttempts);
    publishAct(events, name, acted);
    outbox.admit(acted.gates ?? []);
    if (acted.startsAnew) void outbox.publish([acted]); // never throws; the relay repeats what fails
  };
  const toArgsJson = (job: Job, args: unknown) =>
    toChangedArguments(job, args, options.app.definitions.get(job.type), options.encryption);
  const edit = async (id: string, { args, ...changes }: CheckedJobChanges) => {
    const job = await findJob(database, id);
    const checked = toChanges(options.app, changes);
    if (args !== undefined) checked.argsJson = await toArgsJson(job, args);
    await act(
      id,
      'edit',
      async (sql) => {
        if (checked.queue !== undefined) await holdAdmission(sql);
        return await editJobs(sql, byId(sql, id), checked);
      },
      { inTransaction: checked.queue !== undefined, maxAttempts: checked.maxAttempts },
    );
    return await findJob(database, id);
  };
  return {
    cancel: (id) => cancel(options, id),
    edit,
    move: (id, queue) => edit(id, { queue }),
    retry: async (id, { args } = {}) => {
      const argsJson = args === undefined ? undefined : await toArgsJson(await findJob(database, id), args);
      await act(id, 'retry', (sql) => retryJobs(sql, byId(sql, id), argsJson));
      return await findJob(database, id);
    },
    run: async (id) => {
      await act(id, 'run', (sql) => runJobs(sql, byId(sql, id)));
      return await findJob(database, id);
    },
    delete: async (id) => {
      const job = await findJob(database, id);
      await act(id, 'delete', (sql) => deleteJobs(sql, byId(sql, id)));
      return job;
    },
  };
}

async function cancel({ database, events, outbox }: ControlOptions, id: string): Promise<Job> {
  if (parseId(id) === null) throw noSuchJob();
  const ask = async () => (await database.query((sql) => cancelJobs(sql, byId(sql, id))))[0];
  const acted = await ask();
  if (acted === undefined) throw refusal(await findJob(database, id), 'cancel');
  publishAct(events, 'cancel', acted);
  const deadline = performance.now() + CANCEL_WAIT_MS;
  let isRunning = acted.state === 'running';
  while (isRunning && performance.now() < deadline) {
    await delay(CANCEL_INTERVAL_MS);
    isRunning = (await ask())?.state === 'running'; // none: it has ended meanwhile
  }
  outbox.admit(acted.gates ?? []);
  return await findJob(database, id);
}

/** Throws `InvalidInput` where nobody serves the queue. */
export function toChanges(
  app: Pick<App, 'definitions' | 'queues'>,
  changes: Omit<CheckedJobChanges, 'args'>,
): JobChanges {
  assertQueue(app, changes);
  if (changes.runAt === undefined) return { ...changes };
  const expiring = [...app.definitions.values()].filter(({ expiresInMs }) => expiresInMs !== undefined);
  const expiresInMs = Object.fromEntries(expiring.map(({ type, expiresInMs = 0 }) => [type, expiresInMs]));
  return { ...changes, expiresInMs };
}

function refuseHeldKey(error: unknown): never {
  if (!isUniqueViolation(error)) throw error;
  throw new Conflict('unique_key_held', 'another live job holds its unique key');
}

/** Why nothing was done to the job, which is so now. */
function refusal(
  { id, state, attempt }: Job,
  act: PersonsAct,
  maxAttempts = Number.POSITIVE_INFINITY,
): Conflict | Unavailable {
  if (!transition(act).from.includes(state))
    return new Conflict('state_forbids', `job ${id} is ${state} and cannot be ${VERBS[act]}`);
  if (maxAttempts <= attempt)
    return new Conflict(
      'state_forbids',
      `job ${id} has made ${attempt} attempts: give it more of them, or cancel it`,
    );
  // not a moment ago; or a crash of Postgres may have undone its claim
  return new Unavailable(
    'job_busy',
    `job ${id} is just changing, and cannot be ${VERBS[act]} at this moment`,
  );
}

async function findJob(database: Database, id: string): Promise<Job> {
  const [job] = parseId(id) === null ? [] : await database.query((sql) => findJobs(sql, [id]));
  if (job === undefined) throw noSuchJob();
  return job;
}

function noSuchJob(): NotFound {
  return new NotFound('there is no such job');
}
