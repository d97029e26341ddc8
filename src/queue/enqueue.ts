/**
 * From a request to a committed row, and from there to the broker.
 *
 * The answer waits for the commit, not for the confirm: the row is the promise. After the commit the id is published at once (fast path);
 * with the broker away, blocked or behind, the row stays unpublished and the relay sends it (safe path).
 */

import { Batcher } from '#shared/base/batcher.ts';
import { Conflict } from '#shared/base/errors.ts';
import { mapInSlices } from '#shared/base/slices.ts';
import type { App } from '#shared/job/app.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import type { Enqueued } from '#shared/job/job.ts';
import type { Publishable } from '#shared/job/publishable.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { isRowError } from '#shared/postgres/failures.ts';
import type { InsertedJob } from '#shared/postgres/statements/insert.ts';
import { insertJobs } from '#shared/postgres/statements/insert.ts';
import { findUnknownLimits } from '#shared/postgres/statements/limits.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';
import { findJobs, forgetIdempotencyKey, replaceIdempotentJobs } from '#shared/postgres/statements/read.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import type { Announcing } from './announce.ts';
import { announce } from './announce.ts';
import { endedBatch } from './batches/ended-batch.ts';
import { insertAllOrNone } from './batches/insert-batch.ts';
import { DepthLimits } from './depth-limits.ts';
import { enqueueWithin, isWrapped } from './enqueue-span.ts';
import { Admission } from './gates/admission.ts';
import { KnownLimits } from './gates/known-limits.ts';
import { replayIds, withIdempotency, withSharedIdempotency } from './idempotency.ts';
import type { EnqueueRequest, EnqueueRequests } from './new-job.ts';
import { assertQueue, toJob, toNewJob } from './new-job.ts';
import { Outbox } from './outbox.ts';
import { hasUniqueKey, MAX_UNIQUE_TRIES, settleOn, unsettled } from './unique-conflict.ts';
import { refuseUnstorable } from './unstorable.ts';

export interface EnqueuerOptions {
  database: Database;
  publisher: Publisher;
  app: App;
  events: Events;
  /** How many jobs a channel of a worker runs at once, by queue, where the workers have it otherwise than the application. */
  prefetches?: ReadonlyMap<string, number> | undefined;
  /** Of encrypted job types. Defaults to no keys. */
  encryption?: Encryption | undefined;
}

/** Enqueues on behalf of a process that has a pool and a publisher of its own. */
export class Enqueuer {
  readonly #app: App;
  readonly #database: Database;
  readonly #outbox: Outbox;
  readonly #admission: Admission;
  readonly #limits: KnownLimits;
  readonly #announcing: Announcing;
  readonly #toNewJob: (request: EnqueueRequest) => NewJob | Promise<NewJob>;
  readonly #inserts: Batcher<NewJob, InsertedJob>;
  readonly depths: DepthLimits;

  constructor({ database, publisher, app, events, prefetches, encryption }: EnqueuerOptions) {
    this.#toNewJob = (request) => toNewJob(request, encryption);
    this.#announcing = {
      events,
      publish: (jobs) => this.publish(jobs),
      admit: (gates) => this.admit(gates),
    };
    this.#app = app;
    this.#database = database;
    this.depths = new DepthLimits(database);
    // No more in a message than one channel runs at once: a queue with a prefetch of 1 has long jobs, and each goes to whoever is free.
    const mostTogether = (queue: string) => prefetches?.get(queue) ?? app.queues.get(queue)?.prefetch ?? 1;
    this.#outbox = new Outbox({ database, publisher, mostTogether, events });
    this.#admission = new Admission({ database, publish: (jobs) => this.publish(jobs), events });
    this.#limits = new KnownLimits(app, (names) => database.query((sql) => findUnknownLimits(sql, names)));
    this.#inserts = new Batcher({
      run: async (jobs, waitedMs) => {
        const byRelay = !publisher.ready;
        const deadlineMs = database.deadlineAfter(waitedMs);
        const rows = await database.query((sql) => insertJobs(sql, jobs, { byRelay }), deadlineMs);
        this.#announce(jobs, rows);
        return rows;
      },
      isItemError: isRowError,
      sizeOf: ({ argsJson = '' }) => argsJson.length,
    });
  }

  /** Resolves when the row is committed. Throws `InvalidInput`, `Conflict`, `QueueFull` or `Unavailable`, and what the application's middleware throws. */
  async enqueue<Input>(request: EnqueueRequest<Input>, idempotencyKey?: string): Promise<Enqueued> {
    if (!isWrapped(this.#app)) return await this.#enqueue(request, idempotencyKey);
    const enqueue = ([changed = request as EnqueueRequest]: readonly EnqueueRequest[]) =>
      this.#enqueue(changed, idempotencyKey);
    return await enqueueWithin(this.#app, [request as EnqueueRequest], enqueue, ({ job }) => [job.id]);
  }

  async #enqueue(request: EnqueueRequest, idempotencyKey?: string): Promise<Enqueued> {
    assertQueue(this.#app, request);
    const made = this.#toNewJob(request);
    const job = made instanceof Promise ? await made : made;
    const entered = this.depths.enter([request]);
    if (entered !== undefined) await entered;
    if (job.rare?.limits !== undefined) await this.#limits.assertKnown([job]);
    return await this.#insertOrFind(withIdempotency(job, idempotencyKey));
  }

  /** Enqueues all or none in one statement and returns their ids in order; a held unique key gives its holder's id. */
  async enqueueBatch<Inputs extends readonly unknown[]>(
    requests: EnqueueRequests<Inputs>,
    idempotencyKey?: string,
  ): Promise<string[]> {
    const enqueue = (changed: readonly EnqueueRequest[]) => this.#enqueueBatch(changed, idempotencyKey);
    return await enqueueWithin(this.#app, requests, enqueue, (ids) => ids);
  }

  /** Whether arguments may be changed before they are checked. */
  get hasMiddleware(): boolean {
    return this.#app.middleware.enqueue.length > 0;
  }

  /** Whether the baggage of a request is to travel with its jobs. */
  get carriesBaggage(): boolean {
    return this.#app.trace.baggage;
  }

  async #enqueueBatch(requests: readonly EnqueueRequest[], idempotencyKey?: string): Promise<string[]> {
    for (const request of requests) assertQueue(this.#app, request);
    await this.depths.enter(requests);
    await this.#database.query((sql) => sql`select 1`); // the batch has a long deadline: this one tells in time that Postgres is away
    const jobs = await withSharedIdempotency(await mapInSlices(requests, this.#toNewJob), idempotencyKey);
    await this.#limits.assertKnown(jobs);
    const options = { byRelay: !this.#outbox.ready, isOneRequest: true };
    const rows = await insertAllOrNone(this.#database, jobs, options).catch(refuseUnstorable);
    if (rows[0]?.outcome === 'known') return await replayIds(this.#database, jobs[0] as NewJob);
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

  /** Whether messages can go out now. */
  get ready(): boolean {
    return this.#outbox.ready;
  }

  /** Publishes jobs that are available and committed. Never throws: the relay repeats what fails. */
  publish(jobs: readonly Publishable[]): Promise<void> {
    return this.#outbox.publish(jobs);
  }

  /** Has these gates looked at: a job waits there, or a place has become free. Never throws: the gatekeeper repeats what fails. */
  admit(gates: Iterable<string>): void {
    this.#admission.admit(gates);
  }

  /** Waits until what was confirmed is marked. Stop the publisher first: it waits for the confirms. */
  async stop(): Promise<void> {
    await this.#admission.idle();
    await this.#outbox.stop();
  }

  async #refuseEnded(job: NewJob, { id }: InsertedJob): Promise<Conflict> {
    const { idempotencyKey } = job;
    if (idempotencyKey !== undefined)
      await this.#database.query((sql) => forgetIdempotencyKey(sql, idempotencyKey, [id]));
    return endedBatch(job);
  }

  async #insertOrFind(job: NewJob): Promise<Enqueued> {
    for (let tries = 0; tries < MAX_UNIQUE_TRIES; tries += 1) {
      const row = await this.#inserts.add(job).catch(refuseUnstorable);
      if (row.outcome === 'inserted') return { job: toJob(job, row), created: true };
      if (row.outcome === 'ended-batch') throw await this.#refuseEnded(job, row);
      const found = row.outcome === 'known' ? await this.#replay(job) : await this.#settle(job);
      if (found !== undefined) return found;
    }
    throw unsettled(job);
  }

  /** Tells of the jobs that were inserted, publishes what can run now, and has let through its gates who may. */
  #announce(jobs: readonly NewJob[], rows: readonly InsertedJob[]): void {
    announce(this.#announcing, jobs, rows);
  }

  /** The job that an idempotency key stands for; undefined where it was never made, because of a unique key that is free again. */
  async #replay(job: NewJob): Promise<Enqueued | undefined> {
    const ids = await replayIds(this.#database, job);
    const [found] = await this.#database.query((sql) => findJobs(sql, ids));
    if (found !== undefined) return { job: found, created: true };
    const isUnique = hasUniqueKey(job);
    const holder = isUnique ? await this.#settle(job) : undefined;
    if (holder !== undefined) return holder;
    if (isUnique) {
      const { idempotencyKey = '' } = job;
      await this.#database.query((sql) => forgetIdempotencyKey(sql, idempotencyKey, ids));
      return undefined;
    }
    throw new Conflict('idempotency_key_spent', 'the job of this Idempotency-Key is no longer kept');
  }

  /** With the job that holds the unique key, or what has become of that; undefined where it has ended meanwhile. */
  async #settle(job: NewJob): Promise<Enqueued | undefined> {
    const settled = await settleOn(this.#database, job).catch(refuseUnstorable);
    const { idempotencyKey } = job;
    if (settled !== undefined && idempotencyKey !== undefined) {
      await this.#database.query((sql) => replaceIdempotentJobs(sql, idempotencyKey, [settled.job.id]));
    }
    return settled;
  }
}
