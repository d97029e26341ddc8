/**
 * Acts on all jobs that match a filter, a bounded number of them at a time and in a second.
 *
 * Guarantees: each step is committed together with how far it has come, by the attempt that holds the job, so that an attempt which was killed or has lost
 * its claim is gone on from by the next one, and no job is acted on twice; what can run is published by the relay, and what has gates is let through by
 * the gatekeeper, so that this needs no broker.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { ShippedJobContext } from '#shared/job/shipped-job-context.ts';
import type { Sql } from '#shared/postgres/database.ts';
import { isUniqueViolation } from '#shared/postgres/failures.ts';
import type { ActedJob } from '#shared/postgres/statements/acts.ts';
import type { BulkProgress, Chosen, ManyAct, Reencryption } from '#shared/postgres/statements/bulk.ts';
import {
  actOn,
  findNext,
  findProgress,
  lockOutdated,
  noteProgress,
} from '#shared/postgres/statements/bulk.ts';
import type { Sealing } from '#shared/postgres/statements/reencrypt.ts';
import { writeSealed } from '#shared/postgres/statements/reencrypt.ts';
import { renewJob } from '../reencrypt.ts';
import type { BulkArguments } from './bulk-input.ts';
import { toManyAct } from './bulk-input.ts';

/** Jobs of one transaction at most: others wait for its locks. */
const MOST_TOGETHER = 200;
/** Steps in a second, where the rate is low. */
const STEPS_PER_SECOND = 5;
/** What a step may take in Postgres, in milliseconds. */
const STEP_DEADLINE_MS = 30_000;

type Context = Pick<
  ShippedJobContext,
  'jobId' | 'fence' | 'signal' | 'progress' | 'log' | 'sql' | 'publishAct' | 'encryption'
>;

/** Resolves with the number of jobs that were acted on. Rejects where the attempt was aborted or has lost its claim. */
export async function actOnMany(
  { upToId, perSecond, ...described }: BulkArguments,
  context: Context,
): Promise<{ done: number }> {
  const act = toManyAct(described);
  if (act.action === 'reencrypt') assertCurrentKey(act.sealing, context);
  const limit = stepSize(perSecond);
  const { firstId, ...found } = await findProgress(context.sql, context.jobId);
  let progress: BulkProgress = found;
  for (;;) {
    progress = await actOnLeft(act, progress, context);
    context.signal.throwIfAborted();
    const startedAt = performance.now();
    const { cursor: after } = progress;
    const { ids, last } = await inTransaction(context, (sql) => findNext(sql, act, { after, upToId, limit }));
    if (last === null) return { done: progress.done };
    progress = await actTogether(act, ids, { progress: { ...progress, cursor: last }, context });
    context.progress(shareOf(last, { firstId, upToId }), `${progress.done} jobs`);
    const waitMs = pauseMs(ids.length, { perSecond, tookMs: performance.now() - startedAt });
    await delay(waitMs, undefined, { signal: context.signal });
  }
}

/** How many jobs are acted on together. */
export function stepSize(perSecond: number): number {
  return Math.min(MOST_TOGETHER, Math.max(1, Math.floor(perSecond / STEPS_PER_SECOND)));
}

/** What a step that took so long has to wait, so that no second has more acts than are allowed. */
export function pauseMs(acts: number, { perSecond, tookMs }: { perSecond: number; tookMs: number }): number {
  return Math.max(0, Math.ceil((acts * 1_000) / perSecond - tookMs));
}

/** One transaction that waits for nobody. What is locked is left, and all of them where the unique key of one is held. */
async function actTogether(
  act: ManyAct,
  ids: readonly string[],
  { progress, context }: { progress: BulkProgress; context: Context },
): Promise<BulkProgress> {
  const acted = await commit(act, { ids, skipsLocked: true, progress, context });
  return acted ?? { ...progress, left: ids };
}

/** Each of those that were left by itself. What has changed meanwhile stays as it is, and so does what cannot have its unique key. */
async function actOnLeft(act: ManyAct, from: BulkProgress, context: Context): Promise<BulkProgress> {
  let progress = from;
  for (const id of from.left) {
    context.signal.throwIfAborted();
    const left = progress.left.filter((other) => other !== id);
    const acted = await commit(act, { ids: [id], progress: { ...progress, left }, context });
    progress = acted ?? { ...progress, left };
  }
  return progress;
}

interface Commit {
  ids: readonly string[];
  /** What is locked is noted as left, and not waited for. Defaults to waiting. */
  skipsLocked?: boolean;
  /** As it was, but for the cursor: where it is then. */
  progress: BulkProgress;
  context: Context;
}

/** Acts on the jobs, and notes how far it is then. Undefined where the unique key of one is held: nothing was done. */
async function commit(
  act: ManyAct,
  { ids, skipsLocked = false, progress, context }: Commit,
): Promise<BulkProgress | undefined> {
  let next = progress;
  let acted: readonly string[] = [];
  let told: readonly ActedJob[] = [];
  try {
    await inTransaction(context, async (sql) => {
      if (ids.length > 0 && act.action === 'reencrypt')
        acted = await reencrypt(sql, act, { ids, skipsLocked, context });
      else if (ids.length > 0 && act.action !== 'reencrypt') {
        told = await actOn(sql, act, { ids, skipsLocked });
        acted = told.map(({ id }) => id);
      }
      const done = new Set(acted);
      const left = skipsLocked ? ids.filter((id) => !done.has(id)) : progress.left;
      next = { ...progress, done: progress.done + acted.length, left };
      const isMine = await noteProgress(sql, context, next);
      if (!isMine) throw new Error('this attempt has lost its claim: another one goes on');
    });
  } catch (error) {
    if (isUniqueViolation(error)) return undefined;
    throw error;
  }
  if (act.action !== 'reencrypt') for (const job of told) context.publishAct(act.action, job);
  return next;
}

/** The attempt fails, and another worker may have the key: with this one jobs would be encrypted with the key that is to be retired. */
function assertCurrentKey({ keyId }: Sealing, { encryption }: Context): void {
  const current = encryption.currentKeyId();
  if (current !== keyId)
    throw new Error(
      `the jobs are to be encrypted with the key "${keyId}", and the first of ENCRYPTION_KEYS of this worker is "${current}"`,
    );
}

/** Returns the ids of those that were written. What cannot be opened stays as it is, and is named in the log when it is looked at by itself. */
async function reencrypt(
  sql: Sql,
  act: Reencryption,
  { context, ...chosen }: Chosen & { context: Context },
): Promise<string[]> {
  const jobs = await lockOutdated(sql, act, chosen);
  const renewed = jobs.flatMap((job) => {
    const one = renewJob(job, context.encryption);
    if (one === undefined && !chosen.skipsLocked)
      context.log.warn(
        `job ${job.id} cannot be opened and stays as it is: its key is missing, or it was changed`,
      );
    return one ?? [];
  });
  return renewed.length === 0 ? [] : await writeSealed(sql, renewed);
}

async function inTransaction<T>({ sql }: Context, work: (sql: Sql) => Promise<T>): Promise<T> {
  let answer: T | undefined;
  await sql.begin(async (transaction) => {
    await transaction`select set_config('statement_timeout', ${String(STEP_DEADLINE_MS)}, true)`;
    answer = await work(transaction);
  });
  return answer as T;
}

function shareOf(id: string, { firstId, upToId }: { firstId: string; upToId: string }): number {
  const all = Number(upToId) - Number(firstId) + 1;
  return Math.min(1, Math.max(0, (Number(id) - Number(firstId) + 1) / all));
}
