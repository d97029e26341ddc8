/**
 * Changes jobs that wait: their priority, attempts, arguments, time and queue, on one or on many.
 *
 * Guarantees: all of the changes or none, by one statement, where the state allows it when the row is locked. A job that gets another queue or another
 * time is worth nothing to its old message, by the fence: it is published anew, or waits at its gates anew. One that has not started and gets a later time lets the
 * others of its order go on. Must not know RabbitMQ.
 */
import type { Sql } from '../database.ts';
import { notify } from '../notices.ts';
import type { ActedJob, ActScope } from './acts.ts';
import { actedColumns, lockedFor, newArguments, relayAt } from './acts.ts';
import type { Fragment } from './parts.ts';
import { areClaimsOpen } from './parts.ts';
import { firstGateIn, gatesOf, may, mayById, stateAfter } from './states.ts';

/** What can be changed of a job that waits; what is left out stays. */
export interface JobChanges {
  /** 0 to 9, the higher first. */
  priority?: number | undefined;
  /** Attempts in all; more than were made. */
  maxAttempts?: number | undefined;
  /** RFC 3339. A time that has come lets the job run now. */
  runAt?: string | undefined;
  queue?: string | undefined;
  /** As JSON. */
  argsJson?: string | undefined;
  /** By job type: so long after it came due a job expires. Its expiry moves along with its time where it has just this distance. */
  expiresInMs?: Readonly<Record<string, number>> | undefined;
}

/**
 * Changes the jobs. Those whose state forbids it, or that have made as many attempts already, stay as they are; where more than priority and attempts is
 * changed, all do while a crash of Postgres may have undone a claim. Within a transaction that holds the admission (`holdAdmission`) where the queue is
 * changed: who is let through a gate must be known by the queue that he is in.
 */
export async function editJobs(sql: Sql, scope: ActScope, changes: JobChanges): Promise<ActedJob[]> {
  const { priority = null, maxAttempts = null, runAt = null, queue = null, argsJson } = changes;
  const given: Record<'runAt' | 'queue' | 'priority', Fragment> = {
    runAt: sql`${runAt}::text::timestamptz`,
    queue: sql`coalesce(${queue}::text, job.queue)`,
    priority: sql`coalesce(${priority}::int, priority)::smallint`,
  };
  const isPlain = runAt === null && queue === null && argsJson === undefined;
  const postponed = sql`coalesce(${given.runAt} > now(), false)`;
  const moves = sql`${given.queue} <> queue`;
  const locked = lockedFor(sql, scope, {
    condition: sql`${mayById(sql, 'edit')} and coalesce(${maxAttempts}::int > attempt, true) ${isPlain ? sql`` : sql`and ${areClaimsOpen(sql)}`}`,
    columns: sql`, ${gatesOf(sql)} as old_gates, ${postponed} as postponed, ${moves} as moves,
      ${moves} or (${postponed} and started_at is null) as leaves,
      not ${postponed} and ((${given.runAt} is not null and ${may(sql, 'run')}) or (${moves} and ${may(sql, 'moveDue')})) as starts`,
  });
  return await sql<ActedJob[]>`
    with chosen as materialized (${locked}),
    changed as (
      update warren.jobs job
      set priority = ${given.priority}, max_attempts = coalesce(${maxAttempts}::int, max_attempts), ${newArguments(sql, argsJson)},
        queue = ${given.queue}, ${newTimes(sql, given.runAt, changes.expiresInMs)},
        state = case when postponed then ${stateAfter(sql, 'postpone')}
          when starts then ${stateAfter(sql, 'moveDue')} else state end,
        fence = fence + case when moves or starts or postponed then 1 else 0 end,
        published_at = case when moves or starts or postponed then null else published_at end,
        relay_at = case when starts then ${relayAt(sql, scope)} else relay_at end,
        held_for = case when postponed then null when starts then ${firstGateIn(sql, given.queue)} else held_for end,
        held_rank = case when postponed then null when starts then warren.rank_at(${firstGateIn(sql, given.queue)}, ${given.priority})
          when held_rank is null or ordering_key is not null then held_rank else 9 - ${given.priority} end
      from chosen where job.id = chosen.id
      returning ${actedColumns(sql)}, run_at, moves, starts, old_gates, ${gatesOf(sql)} as new_gates
    ),
    left_places as (
      delete from warren.passes pass using chosen
      where chosen.leaves and pass.job_id = chosen.id and pass.gate in (select jsonb_array_elements_text(chosen.old_gates))
        and pass.gate not like 'limit:%' -- a start that its rate has not counted is counted at the next admission
    )
    select id, type, queue, state, fence, "isUrgent", gate,
      case when moves then old_gates || new_gates else old_gates end as gates,
      starts and state = ${stateAfter(sql, 'enqueue')} as "startsAnew",
      case when state = ${stateAfter(sql, 'schedule')} and run_at < now() + interval '1 s' then ${notify(sql, { kind: 'due' })} end as told
    from changed`;
}

/** For a set list. Of a job that has not started, the time over all attempts moves along with its time. */
function newTimes(sql: Sql, runAt: Fragment, expiresInMs: Readonly<Record<string, number>> = {}): Fragment {
  const distance = sql`(${JSON.stringify(expiresInMs)}::text::jsonb ->> type)::float8 * interval '1 ms'`;
  return sql`run_at = coalesce(${runAt}, run_at),
    expires_at = case when expires_at = run_at + ${distance} then coalesce(${runAt}, run_at) + ${distance} else expires_at end,
    deadline_at = case when started_at is null then deadline_at + (coalesce(${runAt}, run_at) - run_at) else deadline_at end`;
}
