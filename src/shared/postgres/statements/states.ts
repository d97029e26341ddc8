/**
 * Guards and changes of state as SQL, made from the table of transitions (job/transitions.ts). Pure: they build SQL, they run nothing.
 *
 * States stand in the text as constants, never as parameters: only then does the planner know that a partial index fits.
 */
import type { Act, JobState, MovingAct } from '../../job/transitions.ts';
import { endStates, jobStates, liveStates, target, timedStates, transition } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';

/** Whether the column holds one of these states, as text: `state in (…)`, or `state = …` for a single one. */
export function isOneOf(given: readonly JobState[], column = 'state'): string {
  const [only, ...others] = given.map((state) => `'${state}'`);
  return others.length === 0 ? `${column} = ${only}` : `${column} in (${[only, ...others].join(', ')})`;
}

/** A live job: it holds its unique key. As the condition of the index jobs_unique has it. */
export const IS_LIVE = isOneOf(liveStates);

export function isLive(sql: Sql): Fragment {
  return constant(sql, IS_LIVE);
}

export function hasEnded(sql: Sql): Fragment {
  return constant(sql, isOneOf(endStates));
}

/** A job in one of these states: as constants, which only states can be. */
export function isInState(sql: Sql, given: readonly JobState[]): Fragment {
  const known = given.filter((state) => jobStates.includes(state));
  return known.length === 0 ? sql`false` : constant(sql, isOneOf(known));
}

/** A job that waits for its time. As the condition of the index jobs_due has it. */
export function isTimed(sql: Sql): Fragment {
  return constant(sql, isOneOf(timedStates));
}

/** The states from which the act may be done. */
export function may(sql: Sql, act: Act): Fragment {
  return constant(sql, isOneOf(transition(act).from));
}

/**
 * The same for jobs that are looked up by id. Not on the bare column: a condition on that lets the planner take the partial index of the state, which it
 * believes to be nearly empty when the table was analysed at rest, and in a burst every claim would walk all of it.
 */
export function mayById(sql: Sql, act: Act): Fragment {
  return constant(sql, isOneOf(transition(act).from, "(job.state || '')"));
}

/** The state that the act brings a job to: a constant, save where a job with gates is held instead. */
export function stateAfter(sql: Sql, act: MovingAct): Fragment {
  return constant(sql, textAfter(act, `'${target(act)}'`));
}

/** What a batch is called among the gates. */
export const BATCH_PREFIX = 'batch:';

/** A job that has gates: nothing but `warren.admit` makes it available. */
const IS_GATED = '(ordering_key is not null or limits is not null or group_key is not null)';
const FIRST_GATE = 'warren.first_gate(queue, group_key, ordering_key, limits)';

/** `state`, or `held` for a job with gates where the act passes them. */
function textAfter(act: Act, state: string): string {
  return transition(act).passesGates
    ? `case when ${IS_GATED} then '${target('hold')}' else ${state} end`
    : state;
}

/** For a set list: should the job be held now, it waits at its first gate. Nothing, for a plain job. */
export function waitAtFirstGate(sql: Sql): Fragment {
  return constant(sql, `held_for = ${FIRST_GATE}, held_rank = warren.rank_at(${FIRST_GATE}, priority)`);
}

/** The first gate that the job would have in this queue; null for a plain one. */
export function firstGateIn(sql: Sql, queue: Fragment): Fragment {
  return sql`warren.first_gate(${queue}, group_key, ordering_key, limits)`;
}

export function isGated(sql: Sql): Fragment {
  return constant(sql, IS_GATED);
}

/**
 * All gates of the job and its batch, which may have ended with it: as jsonb (our connections do not know the type of arrays); null for a plain job.
 */
export function gatesOf(sql: Sql): Fragment {
  return constant(
    sql,
    `case when ${IS_GATED} or batch_id is not null
      then to_jsonb(warren.gates_of(queue, group_key, ordering_key, limits) || array_remove(array['${BATCH_PREFIX}' || batch_id], null)) end`,
  );
}

/** What the act changes, for a set list: the state, the attempts that count, the fence. */
export function change(sql: Sql, act: Act): Fragment {
  const { to, attempt, raisesFence } = transition(act);
  const changes = [
    to === undefined ? '' : `state = ${textAfter(act, `'${to}'`)}`,
    attempt === undefined ? '' : `attempt = attempt ${attempt > 0 ? '+' : '-'} 1`,
    raisesFence ? 'fence = fence + 1' : '',
  ];
  return constant(sql, changes.filter((text) => text !== '').join(', '));
}

function constant(sql: Sql, text: string): Fragment {
  return sql`${sql.unsafe(text)}`;
}
