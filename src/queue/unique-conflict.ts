/**
 * What becomes of a job whose unique key another one holds: that one is kept, or it gets the new one's arguments and time.
 *
 * Guarantees: the answer says what was done, and it was done when it says so. Must not know on whose connection it runs.
 */
import { Conflict, InvalidInput, Unavailable } from '#shared/base/errors.ts';
import type { Enqueued } from '#shared/job/job.ts';
import { transition } from '#shared/job/transitions.ts';
import type { Database, Sql } from '#shared/postgres/database.ts';
import type { Statement } from '#shared/postgres/statements/insert.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';
import type { HolderRow } from '#shared/postgres/statements/unique-holder.ts';
import {
  changeHolderStatement,
  holderStatement,
  lockHolderStatement,
  MAX_MERGED_BYTES,
  toHolder,
} from '#shared/postgres/statements/unique-holder.ts';

/** How often a job is inserted anew whose key was free again when its holder was looked for. */
export const MAX_UNIQUE_TRIES = 20;
const OUTCOMES = { replace: 'replaced', postpone: 'postponed', merge: 'merged' } as const;

/** Runs a statement; two of them in one transaction where the job merges by a function. */
export type Run = (statement: Statement) => Promise<HolderRow[]>;

export function hasUniqueKey({ uniqueKey, rare }: NewJob): boolean {
  return uniqueKey !== undefined || rare?.waitingKey !== undefined || rare?.period !== undefined;
}

/** `settleConflict` on a connection of ours: in a transaction where the holder is read before it is changed. */
export async function settleOn(database: Database, job: NewJob): Promise<Enqueued | undefined> {
  const settle = (sql: Sql) => {
    const run: Run = async ({ text, values }) =>
      await sql.unsafe<HolderRow[]>(text, values, { prepare: true });
    return settleConflict(run, job);
  };
  const { onConflict, merge } = job.rare ?? {};
  const isRead = onConflict === 'merge' && merge !== undefined;
  return isRead ? await database.transaction(settle) : await database.query(settle);
}

/**
 * Undefined where nobody holds the key any more, or its holder is just changing its state: insert the job again. Throws `InvalidInput` where both
 * arguments would be too large merged.
 */
export async function settleConflict(run: Run, job: NewJob): Promise<Enqueued | undefined> {
  const { onConflict = 'keep' } = job.rare ?? {};
  if (onConflict !== 'keep') {
    const [changed] = await run(await changeStatement(run, job, onConflict));
    if (changed !== undefined)
      return { job: toHolder(changed), created: false, conflict: OUTCOMES[onConflict] };
  }
  const [found] = await run(holderStatement(job));
  if (found === undefined) return undefined;
  const holder = toHolder(found);
  if (onConflict !== 'keep' && transition('replace').from.includes(holder.state)) {
    if (found.tooLarge === true) throw mergedTooLarge(); // it would be so however often it is tried
    return undefined;
  }
  return { job: holder, created: false, conflict: 'kept' };
}

/** What is thrown in the end where `settleConflict` keeps to have no answer. */
export function unsettled({ uniqueKey, rare }: NewJob): Conflict | Unavailable {
  const key = rare?.period?.key ?? rare?.waitingKey ?? uniqueKey;
  if (rare?.period !== undefined)
    return new Conflict('unique_key_held', `a job that is no longer kept holds the unique key "${key}"`);
  if (rare?.onConflict !== undefined && rare.onConflict !== 'keep')
    return new Unavailable('unique_key_busy', `the job with the unique key "${key}" cannot be changed now`);
  return new Conflict('unique_key_busy', `the unique key "${key}" changes hands too fast: try again`);
}

async function changeStatement(
  run: Run,
  job: NewJob,
  onConflict: 'replace' | 'postpone' | 'merge',
): Promise<Statement> {
  const merge = job.rare?.merge;
  if (onConflict !== 'merge' || merge === undefined) return changeHolderStatement(job, onConflict);
  const [found] = await run(lockHolderStatement(job));
  if (found === undefined) return changeHolderStatement(job, 'replace'); // which will find none to change
  const args = merge(toHolder(found).args, job.args);
  const argsJson = JSON.stringify(args);
  if (Buffer.byteLength(argsJson) > MAX_MERGED_BYTES) throw mergedTooLarge();
  return changeHolderStatement({ ...job, args, argsJson }, 'replace');
}

function mergedTooLarge(): InvalidInput {
  return new InvalidInput(
    'merged_too_large',
    `merged, the arguments have more than ${MAX_MERGED_BYTES} bytes`,
  );
}
