/**
 * Batches as people use them: created with their first jobs, looked at, closed, cancelled (docs/batches.md).
 *
 * Guarantees: a batch and its first jobs are committed together; what is told of it is counted from rows.
 */
import { sleep } from '#shared/base/backoff.ts';
import { Conflict, InvalidInput, NotFound } from '#shared/base/errors.ts';
import { parseId } from '#shared/base/row-id.ts';
import type { App } from '#shared/job/app.ts';
import type { Batch, BatchState, ListedBatch } from '#shared/job/batch.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import type { Publishable } from '#shared/job/publishable.ts';
import { isEnd, jobStates } from '#shared/job/transitions.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database, Sql } from '#shared/postgres/database.ts';
import type { BatchRow, ListedBatchRow } from '#shared/postgres/statements/batches.ts';
import {
  askRunningMembers,
  askToCancelBatch,
  cancelWaitingMembers,
  closeBatch,
  findBatch,
  hasUnaskedMembers,
  listBatches,
} from '#shared/postgres/statements/batches.ts';
import { findUnknownLimits } from '#shared/postgres/statements/limits.ts';
import { BATCH_PREFIX } from '#shared/postgres/statements/states.ts';
import { announce } from '../announce.ts';
import { cancelInChunks, GIVES_UP_AFTER_MS } from '../cancel-in-chunks.ts';
import type { Enqueuer } from '../enqueue.ts';
import { KnownLimits } from '../gates/known-limits.ts';
import type { EnqueueRequest } from '../new-job.ts';
import type { BatchRequests } from './create-batch.ts';
import { createBatch } from './create-batch.ts';

export interface NewBatchRequest extends BatchRequests {
  /** Its first jobs, at most 10 000. */
  jobs: readonly EnqueueRequest[];
  /** It does not end before it is closed: more jobs come from outside. Defaults to false. */
  open?: boolean | undefined;
}

export interface BatchPageRequest {
  /** The `nextCursor` of the page before. */
  cursor?: string | undefined;
  limit?: number | undefined;
}

export interface BatchPage {
  batches: ListedBatch[];
  /** Null on the last page. */
  nextCursor: string | null;
}

const PAGE_BATCHES = 50;
/** Between two rounds of a cancel, in milliseconds: what was locked is free then, mostly. */
const NEXT_ROUND_MS = 50;

/** All throw `Unavailable` where nobody can tell now. */
export interface Batches {
  /** Resolves with the batch and the ids of its jobs when all is committed. Throws `InvalidInput`, `Conflict` or `QueueFull`, and enqueues nothing then. */
  create(request: NewBatchRequest, idempotencyKey?: string): Promise<{ batch: Batch; ids: string[] }>;
  /** Throws `NotFound`. */
  find(id: string): Promise<Batch>;
  /** Newest first, 50 by default. Throws `InvalidInput` for a cursor that is none. */
  list(page?: BatchPageRequest): Promise<BatchPage>;
  /** Lets an open batch end when its jobs have. Throws `NotFound`, and `Conflict` where it has ended. */
  close(id: string): Promise<Batch>;
  /**
   * Cancels its jobs that wait, asks those that run to stop, and closes it: no job joins it from then on. After twenty seconds at most, some may be left
   * then. Throws as `close` does.
   */
  cancel(id: string): Promise<Batch>;
}

export interface BatchesOptions {
  database: Database;
  events: Events;
  app: App;
  /** Of encrypted job types. Defaults to no keys. */
  encryption?: Encryption | undefined;
  enqueuer: Pick<Enqueuer, 'depths' | 'ready' | 'publish' | 'admit'>;
}

export function createBatches({ database, events, app, encryption, enqueuer }: BatchesOptions): Batches {
  const limits = new KnownLimits(app, (names) => database.query((sql) => findUnknownLimits(sql, names)));
  const announcing = {
    events,
    publish: (jobs: readonly Publishable[]) => enqueuer.publish(jobs),
    admit: (gates: Iterable<string>) => enqueuer.admit(gates),
  };
  const find = async (id: string): Promise<Batch> => {
    const row = parseId(id) === null ? undefined : await database.query((sql) => findBatch(sql, id));
    if (row === undefined) throw new NotFound('there is no such batch');
    return toBatch(row);
  };
  /** Looked at, for nothing else may tell that its jobs have ended already. */
  const look = async (id: string): Promise<Batch> => {
    enqueuer.admit([`${BATCH_PREFIX}${id}`]);
    return await find(id);
  };
  /** Throws where there is no such batch, or it has ended. */
  const change = async (id: string, statement: (sql: Sql) => Promise<boolean>): Promise<void> => {
    if (parseId(id) !== null && (await database.query(statement))) return;
    await find(id);
    throw new Conflict('batch_ended', `batch ${id} has ended`);
  };
  return {
    create: async ({ jobs, open = false, onFirstFailure, onSuccess, onEnd }, idempotencyKey) => {
      if (jobs.length === 0 && (!open || idempotencyKey !== undefined)) throw noJobs();
      const given = Object.entries({ onFirstFailure, onSuccess, onEnd });
      const callbacks = Object.fromEntries(given.filter(([, request]) => request !== undefined));
      const { depths, ready } = enqueuer;
      const parts = { app, database, depths, limits, encryption, ready };
      const inserted = await createBatch(parts, { open, callbacks }, jobs, idempotencyKey);
      announce(announcing, inserted.jobs, inserted.rows);
      return { batch: await find(inserted.id), ids: inserted.ids };
    },
    find,
    list: async ({ cursor, limit = PAGE_BATCHES } = {}) => {
      const before = cursor === undefined ? undefined : parseCursor(cursor);
      const rows = await database.query((sql) => listBatches(sql, { before, limit: limit + 1 }));
      const batches = rows.slice(0, limit).map(toListed);
      return { batches, nextCursor: rows.length > limit ? (batches.at(-1)?.id ?? null) : null };
    },
    close: async (id) => {
      await change(id, (sql) => closeBatch(sql, id));
      return await look(id);
    },
    cancel: async (id) => {
      await change(id, (sql) => askToCancelBatch(sql, id));
      const endsAt = performance.now() + GIVES_UP_AFTER_MS;
      const cancelWaiting = (sql: Sql, limit: number) => cancelWaitingMembers(sql, id, limit);
      for (;;) {
        await cancelInChunks({ database, events }, cancelWaiting, endsAt);
        await database.query((sql) => askRunningMembers(sql, id));
        const isDone = !(await database.query((sql) => hasUnaskedMembers(sql, id)));
        if (isDone || performance.now() > endsAt) return await look(id);
        await sleep(NEXT_ROUND_MS); // some were locked: just being claimed, or made available
      }
    },
  };
}

function noJobs(): InvalidInput {
  const issues = [
    { detail: 'must have at least one job, or be open and without an Idempotency-Key', pointer: '/jobs' },
  ];
  return new InvalidInput('invalid_batch', 'the batch has no jobs', issues);
}

/** A cursor is an id. */
function parseCursor(cursor: string): string {
  const id = parseId(cursor);
  if (id !== null) return id;
  const issues = [{ detail: 'is not the nextCursor of a page', pointer: '/cursor' }];
  throw new InvalidInput('invalid_request', 'the cursor is malformed', issues);
}

function toListed({ id, isOpen: open, createdAt, finishedAt, ...row }: ListedBatchRow): ListedBatch {
  const { counts } = row;
  const state = stateOf({ ...row, isEnded: finishedAt !== null, counts: counts ?? {} });
  return { id, state, open, total: counts === null ? null : totalOf(counts), counts, createdAt, finishedAt };
}

function totalOf(counts: Batch['counts']): number {
  return jobStates.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

function toBatch({ id, isOpen, isCancelRequested, createdAt, finishedAt, counts }: BatchRow): Batch {
  const total = totalOf(counts);
  const ended = jobStates.filter(isEnd).reduce((sum, state) => sum + (counts[state] ?? 0), 0);
  return {
    id,
    state: stateOf({ isEnded: finishedAt !== null, isCancelRequested, counts }),
    open: isOpen,
    total,
    counts,
    done: total === 0 ? 0 : ended / total,
    createdAt,
    finishedAt,
  };
}

function stateOf({
  isEnded,
  isCancelRequested,
  counts,
}: Pick<BatchRow, 'isCancelRequested' | 'counts'> & { isEnded: boolean }): BatchState {
  if (!isEnded) return 'running';
  if (isCancelRequested && (counts.cancelled ?? 0) > 0) return 'cancelled';
  return (counts.discarded ?? 0) + (counts.cancelled ?? 0) > 0 ? 'failed' : 'completed';
}
