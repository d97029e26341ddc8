/**
 * From a request to a committed row, and from there to the broker.
 *
 * The answer waits for the commit, not for the confirm: the row is the promise. After the commit the id is published at once (fast path);
 * with the broker away, blocked or behind, the row stays unpublished and the relay sends it (safe path).
 */

import { Batcher } from '#shared/base/batcher.ts';
import { Conflict, errorMessage, InvalidInput } from '#shared/base/errors.ts';
import { mapInSlices } from '#shared/base/slices.ts';
import type { App } from '#shared/job/app.ts';
import type { Enqueued, EnqueueOptions } from '#shared/job/job.ts';
import type { Publishable } from '#shared/job/publishable.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { isRowError } from '#shared/postgres/failures.ts';
import type { InsertedJob } from '#shared/postgres/statements/insert.ts';
import { insertJobs } from '#shared/postgres/statements/insert.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';
import {
  findIdempotencyKey,
  findJobs,
  findUniqueJob,
  forgetIdempotencyKey,
  replaceIdempotentJobs,
} from '#shared/postgres/statements/read.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import { withIdempotency, withSharedIdempotency } from './idempotency.ts';
import type { EnqueueRequest, EnqueueRequests } from './new-job.ts';
import { toJob, toNewJob } from './new-job.ts';
import { Outbox } from './outbox.ts';

const MAX_UNIQUE_TRIES = 5;
/** What a batch of 10 000 jobs may take, in milliseconds. */
const BATCH_DEADLINE_MS = 10_000;

export interface EnqueuerOptions {
  database: Database;
  publisher: Publisher;
  app: App;
  events: Events;
}

/** Enqueues on behalf of a process that has a pool and a publisher of its own. */
export class Enqueuer {
  readonly #app: App;
  readonly #database: Database;
  readonly #outbox: Outbox;
  readonly #events: Events;
  readonly #inserts: Batcher<NewJob, InsertedJob>;

  constructor({ database, publisher, app, events }: EnqueuerOptions) {
    this.#events = events;
    this.#app = app;
    this.#database = database;
    // No more in a message than one channel runs at once: a queue with a prefetch of 1 has long jobs, and each goes to whoever is free.
    const mostTogether = (queue: string) => app.queues.get(queue)?.prefetch ?? 1;
    this.#outbox = new Outbox({ database, publisher, mostTogether, events });
    this.#inserts = new Batcher({
      run: async (jobs, waitedMs) => {
        const byRelay = !publisher.ready;
        const deadlineMs = database.deadlineAfter(waitedMs);
        const rows = await database.query((sql) => insertJobs(sql, jobs, { byRelay }), deadlineMs);
        this.#announce(jobs, rows);
        return rows;
      },
      isItemError: isRowError,
      concurrency: 2,
      sizeOf: ({ argsJson = '' }) => argsJson.length,
    });
  }

  /** Resolves when the row is committed. Throws `InvalidInput`, `Conflict` or `Unavailable`. */
  async enqueue<Input>(request: EnqueueRequest<Input>, idempotencyKey?: string): Promise<Enqueued> {
    this.#assertQueue(request);
    const job = toNewJob(request);
    return await this.#insertOrFind(
      withIdempotency(job instanceof Promise ? await job : job, idempotencyKey),
    );
  }

  /** Enqueues all or none in one statement and returns their ids in order; a held unique key gives its holder's id. */
  async enqueueBatch<Inputs extends readonly unknown[]>(
    requests: EnqueueRequests<Inputs>,
    idempotencyKey?: string,
  ): Promise<string[]> {
    for (const request of requests) this.#assertQueue(request);
    await this.#database.query((sql) => sql`select 1`); // the batch has a long deadline: this one tells in time that Postgres is away
    const jobs = await withSharedIdempotency(await mapInSlices(requests, toNewJob), idempotencyKey);
    const rows = await this.#database
      .query(
        (sql) => insertJobs(sql, jobs, { byRelay: !this.#outbox.ready, isOneRequest: true }),
        BATCH_DEADLINE_MS,
      )
      .catch(refuseUnstorable);
    if (rows[0]?.outcome === 'known') return await this.#replayIds(jobs[0] as NewJob);
    this.#announce(jobs, rows);
    const ids = await Promise.all(
      rows.map(async (row, index) => {
        if (row.outcome !== 'duplicate') return row.id;
        return (await this.#insertOrFind({ ...(jobs[index] as NewJob), idempotencyKey: undefined })).job.id;
      }),
    );
    if (idempotencyKey !== undefined && rows.some(({ outcome }) => outcome === 'duplicate')) {
      await this.#database.query((sql) => replaceIdempotentJobs(sql, idempotencyKey, ids));
    }
    return ids;
  }

  /** Publishes jobs that are available and committed. Never throws: the relay repeats what fails. */
  publish(jobs: readonly Publishable[]): Promise<void> {
    return this.#outbox.publish(jobs);
  }

  /** Waits until what was confirmed is marked. Stop the publisher first: it waits for the confirms. */
  stop(): Promise<void> {
    return this.#outbox.stop();
  }

  /** A job in a queue that nobody serves would wait for ever. */
  #assertQueue({ queue }: EnqueueOptions): void {
    const { queues } = this.#app;
    if (queue === undefined || queues.has(queue)) return;
    const issues = [{ detail: `there are ${[...queues.keys()].join(', ')}`, pointer: '/queue' }];
    throw new InvalidInput('unknown_queue', `the application has no queue "${queue}"`, issues);
  }

  async #insertOrFind(job: NewJob): Promise<Enqueued> {
    for (let tries = 0; tries < MAX_UNIQUE_TRIES; tries += 1) {
      const row = await this.#inserts.add(job).catch(refuseUnstorable);
      if (row.outcome === 'inserted') return { job: toJob(job, row), created: true };
      const found = row.outcome === 'known' ? await this.#replay(job) : await this.#findHolder(job);
      if (found !== undefined) return found;
    }
    throw new Conflict(
      'unique_key_busy',
      `the unique key "${job.uniqueKey}" changes hands too fast: try again`,
    );
  }

  /** Tells of the jobs that were inserted, and publishes what can run now. */
  #announce(jobs: readonly NewJob[], rows: readonly InsertedJob[]): void {
    const available: Publishable[] = [];
    for (const [index, { id, outcome, state }] of rows.entries()) {
      const { type, queue } = jobs[index] as NewJob;
      if (outcome === 'inserted') this.#events.publish('job.enqueued', { type, queue, count: 1 });
      if (state === 'available') available.push({ id, type, queue, fence: 0 });
    }
    // One queue's confirms do not wait for another's, which may be choosing a leader.
    for (const jobs of Map.groupBy(available, ({ queue }) => queue).values()) void this.publish(jobs);
  }

  /** The job that an idempotency key stands for; undefined where it was never made, because of a unique key that is free again. */
  async #replay(job: NewJob): Promise<Enqueued | undefined> {
    const ids = await this.#replayIds(job);
    const [found] = await this.#database.query((sql) => findJobs(sql, ids));
    if (found !== undefined) return { job: found, created: true };
    const holder = job.uniqueKey === undefined ? undefined : await this.#findHolder(job);
    if (holder !== undefined) return holder;
    if (job.uniqueKey !== undefined) {
      const { idempotencyKey = '' } = job;
      await this.#database.query((sql) => forgetIdempotencyKey(sql, idempotencyKey, ids));
      return undefined;
    }
    throw new Conflict('idempotency_key_spent', 'the job of this Idempotency-Key is no longer kept');
  }

  async #replayIds({ idempotencyKey = '', fingerprint }: NewJob): Promise<string[]> {
    const record = await this.#database.query((sql) => findIdempotencyKey(sql, idempotencyKey));
    if (record === undefined)
      throw new Conflict('idempotency_key_busy', 'the Idempotency-Key has just expired: try again');
    if (record.fingerprint !== fingerprint) {
      throw new InvalidInput('idempotency_key_reused', 'this Idempotency-Key was used for another request');
    }
    return record.jobIds;
  }

  /** The live job that holds the unique key; undefined where it has ended meanwhile. */
  async #findHolder({ type, uniqueKey = '', idempotencyKey }: NewJob): Promise<Enqueued | undefined> {
    const holder = await this.#database.query((sql) => findUniqueJob(sql, type, uniqueKey));
    if (holder === undefined) return undefined;
    if (idempotencyKey !== undefined) {
      await this.#database.query((sql) => replaceIdempotentJobs(sql, idempotencyKey, [holder.id]));
    }
    return { job: holder, created: false };
  }
}

/** What no schema has caught, and Postgres refuses: U+0000 in a text, a number out of range. */
function refuseUnstorable(error: unknown): never {
  if (!isRowError(error)) throw error;
  throw new InvalidInput(
    'not_storable',
    `Postgres cannot keep the job as it is: ${errorMessage(error, 200)}`,
  );
}
