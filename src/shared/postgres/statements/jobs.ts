/**
 * The changes of state on the path of a job after its insert: mark, claim, record. One statement each, for many jobs at once. All times
 * come from the database's clock.
 *
 * The fence: an outcome is accepted `where state = 'running' and fence = …`; every claim raises the fence, nothing lowers it.
 * Must not know RabbitMQ.
 */
import type { ErrorOrigin } from '../../base/error-origin.ts';
import type { Trace } from '../../job/trace.ts';
import type { JobState, RecordedAct } from '../../job/transitions.ts';
import { isEnd, timedStates, transition } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import { notify } from '../notices.ts';
import { argsBytes, bigints, claimColumns, hasType, withError } from './parts.ts';
import { change, mayById, stateAfter } from './states.ts';

/** How long the relay waits before it repeats a spent message, in milliseconds. */
const SPENT_MESSAGE_MS = 2_000;
/** A job due sooner than this is announced to the scheduler, which looks for later ones by itself, in milliseconds. */
const ANNOUNCE_BELOW_MS = 1_000;

/** A job whose message is to be published. */
export interface Publishable {
  id: string;
  type: string;
  queue: string;
  /** The claim count that the message belongs to. */
  fence: number;
}

/**
 * Notes that the broker has the messages of these jobs. A job claimed meanwhile needs no note (the claim made it), and one that waits again after
 * a claim must not get it: hence the fence.
 */
export async function markPublished(
  sql: Sql,
  jobs: readonly Pick<Publishable, 'id' | 'fence'>[],
): Promise<void> {
  await sql`
    with unmarked as (
      select job.id
      from jsonb_to_recordset(${JSON.stringify(jobs)}::text::jsonb) as given(id bigint, fence int), lateral (
        select job.id from warren.jobs job -- one look-up each: a join of thousands may be planned for a few
        where job.id = given.id and job.fence = given.fence and ${mayById(sql, 'claim')} and published_at is null
        for no key update skip locked -- what is locked is being claimed, and a claim that waited for us could be waited for
      ) as job
    )
    update warren.jobs set published_at = now() where id = any(array(select id from unmarked))`;
}

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
  /** How often its worker died while it ran. */
  crashes: number;
  /** Milliseconds from the time it was due to this claim. */
  waitMs: number;
  /** When it was due, in epoch seconds of the database's clock. */
  dueAt: number;
  /** Of the request that enqueued it. Null: it had neither header. */
  trace: Trace | null;
}

/** Who claims. `batch` numbers the worker's claiming statements: see `markStarted`. */
export interface Claimant {
  owner: string;
  batch: number;
}

/** `types`: the job types that it knows, as a literal of `texts`. Jobs of other types are left as they are, to others. */
export interface TypedClaimant extends Claimant {
  types: string;
}

/** `maxArgsBytes`: jobs with larger arguments are left as they are; there is no room for them now. Defaults to any size. */
export interface SizedClaimant extends TypedClaimant {
  maxArgsBytes?: number;
}

/** More than any arguments have, as an int. */
const ANY_SIZE = 2_147_483_647;

/** Claims those of the jobs that are available, of a type that the claimant knows, and whose queue is not paused. By primary key. */
export async function claimJobs(
  sql: Sql,
  ids: readonly string[],
  { owner, batch, types, maxArgsBytes = ANY_SIZE }: SizedClaimant,
): Promise<Claim[]> {
  return await sql<Claim[]>`
    update warren.jobs job
    set ${change(sql, 'claim')}, owner = ${owner}::text::bigint,
      claim_batch = ${batch}, started_at = now(), published_at = coalesce(published_at, now())
    where id = any(${bigints(ids)}::text::bigint[]) and ${mayById(sql, 'claim')}
      and queue <> all (array(select name from warren.queues where paused))
      and ${hasType(sql, types)} and ${argsBytes(sql)} <= ${maxArgsBytes}
    returning ${claimColumns(sql)}`;
}

/** Claims again what this worker claimed without hearing of it (the answer was lost). Not charged twice: no handler had started. */
export async function reclaimJobs(
  sql: Sql,
  unheard: readonly { id: string; fence: number }[],
  { owner, batch }: Claimant,
): Promise<Claim[]> {
  const rows = JSON.stringify(unheard.map(({ id, fence }) => ({ id, seen: fence })));
  return await sql<Claim[]>`
    update warren.jobs job set ${change(sql, 'reclaim')}, claim_batch = ${batch}, started_at = now()
    from jsonb_to_recordset(${rows}::text::jsonb) as given(id bigint, seen int)
    where job.id = any(${bigints(unheard.map(({ id }) => id))}::text::bigint[]) and job.id = given.id
      and job.fence = given.seen and ${mayById(sql, 'reclaim')} and owner = ${owner}::text::bigint
    returning ${claimColumns(sql)}`;
}

/**
 * Notes that the messages of these jobs are spent: the relay sends new ones after `repeatAfterMs`, doubled with every message that was spent before, up
 * to `atMostMs`, should the jobs wait then. A mark of the spent message that
 * comes later must not hide a waiting job, hence the fence. Jobs that have ended or are not due are left alone.
 */
export async function spendMessages(
  sql: Sql,
  ids: readonly string[],
  {
    repeatAfterMs = SPENT_MESSAGE_MS,
    atMostMs = repeatAfterMs,
  }: { repeatAfterMs?: number; atMostMs?: number } = {},
): Promise<void> {
  await sql`
    update warren.jobs job
    set published_at = null,
      relay_at = now() + least(${atMostMs}, ${repeatAfterMs} * 2 ^ least(fence - attempt, 16)) * interval '1 ms',
      fence = fence + case when state = 'available' then 1 else 0 end
    where id = any(${bigints(ids)}::text::bigint[]) and ${mayById(sql, 'spend')}`;
}

/** What an attempt came to. `delayMs`: the wait before the next one. Whether the attempt counts, and the state that follows, say the transitions. */
export interface Outcome {
  id: string;
  fence: number;
  act: RecordedAct;
  delayMs?: number;
  output?: unknown;
  /** The length of the output as JSON: what one statement carries is bounded. */
  outputBytes?: number | undefined;
  /** Goes into the job's history. */
  error?: string;
  errorOrigin?: ErrorOrigin | undefined;
}

/**
 * Records outcomes and returns the states that the jobs have now, by id; those that are missing had lost their claim. A job that was to be cancelled is cancelled where
 * it would have run again. A job handed back (`available`) keeps its `published_at`: its message is requeued, or was noted as spent.
 */
export async function recordOutcomes(sql: Sql, outcomes: readonly Outcome[]): Promise<Map<string, JobState>> {
  const announce = outcomes.some(({ delayMs }) => (delayMs ?? 0) > 0 && (delayMs ?? 0) < ANNOUNCE_BELOW_MS);
  const rows = await sql<{ id: string; state: JobState }[]>`
    with given as (
      select * from jsonb_to_recordset(${JSON.stringify(outcomes.map(toRow))}::text::jsonb) as o(
        id bigint, fence int, state text, "isEnd" boolean, "isTimed" boolean, "attemptChange" int, "crashNote" text, "delayMs" float8, output jsonb, error text,
        "errorOrigin" jsonb)
    ),
    recorded as (
      update warren.jobs job
      set state = case when cancel_requested_at is not null and not given."isEnd" then ${stateAfter(sql, 'stop')} else given.state end,
        finished_at = case when cancel_requested_at is not null or given."isEnd" then now() end,
        run_at = case when given."delayMs" is null then run_at else now() + given."delayMs" * interval '1 ms' end,
        published_at = case when given."isTimed" then null else published_at end,
        attempt = attempt + given."attemptChange",
        crashes = case given."crashNote" when 'forgotten' then 0 when 'counted' then crashes + 1 else crashes end,
        output = coalesce(given.output, job.output),
        errors = case when given.error is null then errors else ${withError(sql, sql`given.error`, sql`given."errorOrigin"`)} end
      from given
      where job.id = any(${bigints(outcomes.map(({ id }) => id))}::text::bigint[]) and job.id = given.id
        and ${mayById(sql, 'complete')} and job.fence = given.fence
      returning job.id, job.state
    )
    select id, state ${announce ? sql`, (select ${notify(sql, { kind: 'due' })}) as announced` : sql``} from recorded`;
  return new Map(rows.map(({ id, state }) => [id, state]));
}

/** An outcome with what its act means for the row. */
function toRow({ act, outputBytes, ...outcome }: Outcome): object {
  const { to = 'available', attempt = 0, crashes } = transition(act);
  return {
    ...outcome,
    state: to,
    isEnd: isEnd(to),
    isTimed: timedStates.includes(to),
    attemptChange: attempt,
    crashNote: crashes,
  };
}
