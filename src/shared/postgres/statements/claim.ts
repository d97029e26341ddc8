/**
 * Claims jobs whose ids a worker has: makes them `running`, with this worker as their owner. One statement each, for many jobs at once.
 *
 * Guarantees: every claim raises the fence and nothing lowers it but a crash of Postgres that undoes the claim (restore.ts), so that an attempt which has
 * lost its claim can record nothing. All times come from the database's clock. Must not know RabbitMQ.
 */
import type { SpanIds, Trace } from '../../job/trace.ts';
import type { Sql } from '../database.ts';
import { hasOthersFirst } from './others-first.ts';
import {
  argsBytes,
  bigints,
  claimColumns,
  hasRunningType,
  hasType,
  mayClaimAtOnce,
  mayStart,
} from './parts.ts';
import { change, mayById } from './states.ts';

/** More than any arguments have, as an int. */
const ANY_SIZE = 2_147_483_647;

/** A job that this worker holds now. */
export interface Claim {
  id: string;
  type: string;
  queue: string;
  args: unknown;
  /** The length of the arguments as JSON text. */
  argsBytes: number;
  attempt: number;
  maxAttempts: number;
  fence: number;
  /** Of the statement that claimed it: see `Claimant`. */
  claimNumber: number;
  /** How often its worker died while it ran. */
  crashes: number;
  /** Milliseconds from the time it was due to this claim. */
  waitMs: number;
  /** When it was due, in epoch seconds of the database's clock. */
  dueAt: number;
  /** Milliseconds from the claim to the end of its time over all attempts. Null: it has no such time. */
  leftMs?: number | null;
  /** The batch that it belongs to, or whose callback it is. */
  batchId?: string | null;
  /** That travels with it, set apart from the trace, which log lines have (`setBaggageApart`). */
  baggage?: string | undefined;
  /** Of the request that enqueued it, with the ids of the attempt's span where there is one. Null: nothing is known. */
  trace: (Trace & Partial<SpanIds>) | null;
}

/** Who claims. `claimNumber` counts the worker's claiming statements: see `markStarted`. */
export interface Claimant {
  owner: string;
  claimNumber: number;
}

/** `types`: the job types that it knows, as a literal of `texts`. Jobs of other types are left as they are, to others. */
export interface TypedClaimant extends Claimant {
  types: string;
}

/** `maxArgsBytes`: jobs with larger arguments are left as they are; there is no room for them now. Defaults to any size. */
export interface SizedClaimant extends TypedClaimant {
  maxArgsBytes?: number;
}

/**
 * `queue`: that of the deliveries. Jobs of another queue are left as they are; all are, while the queue has jobs that go first (others-first.ts). Defaults
 * to any queue, whatever else waits there.
 */
export interface DeliveryClaimant extends SizedClaimant {
  queue?: string | undefined;
}

/**
 * Claims those of the jobs that are available, of a type that the claimant knows, and neither paused by its queue nor by its type; none while claims are not open. Does not
 * wait for the disk. By primary key.
 */
export async function claimJobs(
  sql: Sql,
  ids: readonly string[],
  { queue, owner, claimNumber, types, maxArgsBytes = ANY_SIZE }: DeliveryClaimant,
): Promise<Claim[]> {
  const ofQueue =
    queue === undefined
      ? sql``
      : sql`and queue = ${queue} and not ${hasOthersFirst(sql, { queue, types, maxArgsBytes })}`;
  return await sql<Claim[]>`
    update warren.jobs job
    set ${change(sql, 'claim')}, owner = ${owner}::text::bigint,
      claim_batch = ${claimNumber}, started_at = now(), published_at = coalesce(published_at, now())
    where id = any(${bigints(ids)}::text::bigint[]) and ${mayById(sql, 'claim')}
      and queue <> all (array(select name from warren.queues where paused)) and ${hasRunningType(sql)}
      and ${hasType(sql, types)} and ${argsBytes(sql)} <= ${maxArgsBytes} and ${mayStart(sql)} and ${mayClaimAtOnce(sql)} ${ofQueue}
    returning ${claimColumns(sql)}`;
}

/** Claims again what this worker claimed without hearing of it (the answer was lost). Not charged twice: no handler had started. */
export async function reclaimJobs(
  sql: Sql,
  unheard: readonly { id: string; fence: number }[],
  { owner, claimNumber }: Claimant,
): Promise<Claim[]> {
  const rows = JSON.stringify(unheard.map(({ id, fence }) => ({ id, seen: fence })));
  return await sql<Claim[]>`
    update warren.jobs job set ${change(sql, 'reclaim')}, claim_batch = ${claimNumber}, started_at = now()
    from jsonb_to_recordset(${rows}::text::jsonb) as given(id bigint, seen int)
    where job.id = any(${bigints(unheard.map(({ id }) => id))}::text::bigint[]) and job.id = given.id
      and job.fence = given.seen and ${mayById(sql, 'reclaim')} and owner = ${owner}::text::bigint
    returning ${claimColumns(sql)}`;
}
