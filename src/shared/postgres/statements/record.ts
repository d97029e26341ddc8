/**
 * Records what attempts came to: one statement for many jobs.
 *
 * Guarantees: an outcome is accepted `where state = 'running' and fence = … and owner = …`, so that one of an attempt which has lost its claim changes
 * nothing. The owner counts, because the fence of a claim that a crash of Postgres has undone is given again. All times come from the database's clock.
 * Must not know RabbitMQ.
 */
import type { ErrorOrigin } from '../../base/error-origin.ts';
import type { JobState, RecordedAct } from '../../job/transitions.ts';
import { isEnd, target, timedStates, transition } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import { notify } from '../notices.ts';
import { TRANSACTION_MARK } from '../transaction-clients.ts';
import { bigints, withError } from './parts.ts';
import { gatesOf, isGated, mayById, stateAfter, waitAtFirstGate } from './states.ts';

/** A job due sooner than this is announced to the scheduler, which looks for later ones by itself, in milliseconds. */
const ANNOUNCE_BELOW_MS = 1_000;

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

/** What a job is after its record. `gates`: where others may go on now, or the job itself; null for a plain job. */
export interface RecordedJob {
  state: JobState;
  gates: string[] | null;
}

/**
 * Records outcomes and returns the states that the jobs have now, by id; those that are missing had lost their claim. `owners`: all numbers that the
 * worker has had. A job that was to be cancelled is cancelled where it would have run again. A job handed back (`available`) keeps its `published_at`:
 * its message is requeued, or was noted as spent. That may have been the message of another job, so it is owed: whichever permit comes may start it.
 * `mark`: of the job's own transaction, outside of which nothing is recorded then.
 */
export async function recordOutcomes(
  sql: Sql,
  outcomes: readonly Outcome[],
  owners: readonly string[],
  mark?: string,
): Promise<Map<string, RecordedJob>> {
  const isInside = mark === undefined ? sql`` : sql`and current_setting(${TRANSACTION_MARK}, true) = ${mark}`;
  const announce = outcomes.some(({ delayMs }) => (delayMs ?? 0) > 0 && (delayMs ?? 0) < ANNOUNCE_BELOW_MS);
  const rows = await sql<(RecordedJob & { id: string })[]>`
    with given as (
      select * from jsonb_to_recordset(${JSON.stringify(outcomes.map(toRow))}::text::jsonb) as o(
        id bigint, fence int, state text, "isEnd" boolean, "isTimed" boolean, "passesGates" boolean, "attemptChange" int, "crashNote" text, "delayMs" float8, output jsonb, error text,
        "errorOrigin" jsonb)
    ),
    recorded as (
      update warren.jobs job
      set state = case when cancel_requested_at is not null and not given."isEnd" then ${stateAfter(sql, 'stop')} 
          when given."passesGates" and ${isGated(sql)} then ${stateAfter(sql, 'hold')} else given.state end, ${waitAtFirstGate(sql)},
        finished_at = case when cancel_requested_at is not null or given."isEnd" then now() end,
        run_at = case when given."delayMs" is null then run_at else now() + given."delayMs" * interval '1 ms' end,
        published_at = case when given."isTimed" then null else published_at end,
        owed_fence = case when given.state = ${stateAfter(sql, 'handBack')} then job.fence else owed_fence end,
        attempt = attempt + given."attemptChange",
        crashes = case given."crashNote" when 'forgotten' then 0 when 'counted' then crashes + 1 else crashes end,
        output = coalesce(given.output, job.output),
        errors = case when given.error is null then errors else ${withError(sql, sql`given.error`, sql`given."errorOrigin"`)} end
      from given
      where job.id = any(${bigints(outcomes.map(({ id }) => id))}::text::bigint[]) and job.id = given.id
        and ${mayById(sql, 'complete')} and job.fence = given.fence and job.owner = any(${bigints(owners)}::text::bigint[])
        ${isInside}
      returning job.id, job.state, ${gatesOf(sql)} as gates
    )
    select id, state, gates ${announce ? sql`, (select ${notify(sql, { kind: 'due' })}) as announced` : sql``} from recorded`;
  return new Map(rows.map(({ id, state, gates }) => [id, { state, gates }]));
}

/**
 * What the job is where this outcome of it was recorded; undefined where it was not. Waits for a transaction that is just being committed. For an outcome
 * that ends the attempt otherwise than by running again.
 */
export async function findRecorded(sql: Sql, { id, fence, act }: Outcome): Promise<RecordedJob | undefined> {
  const [row] = await sql<RecordedJob[]>`
    select state, ${gatesOf(sql)} as gates from warren.jobs where id = ${id} and fence = ${fence} for share`;
  return row?.state === target(act) ? row : undefined;
}

/** An outcome with what its act means for the row. */
function toRow({ act, outputBytes, ...outcome }: Outcome): object {
  const { to = 'available', attempt = 0, crashes, passesGates } = transition(act);
  return {
    ...outcome,
    state: to,
    isEnd: isEnd(to),
    isTimed: timedStates.includes(to),
    passesGates,
    attemptChange: attempt,
    crashNote: crashes,
  };
}
