/**
 * Guards and changes of state as SQL, made from the table of transitions (job/transitions.ts). Pure: they build SQL, they run nothing.
 *
 * States stand in the text as constants, never as parameters: only then does the planner know that a partial index fits.
 */
import type { Act, JobState, MovingAct } from '../../job/transitions.ts';
import { endStates, liveStates, target, timedStates, transition } from '../../job/transitions.ts';
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

/** The state that the act brings a job to, as a constant. */
export function stateAfter(sql: Sql, act: MovingAct): Fragment {
  return constant(sql, `'${target(act)}'`);
}

/** What the act changes, for a set list: the state, the attempts that count, the fence. */
export function change(sql: Sql, act: Act): Fragment {
  const { to, attempt, raisesFence } = transition(act);
  const changes = [
    to === undefined ? '' : `state = '${to}'`,
    attempt === undefined ? '' : `attempt = attempt ${attempt > 0 ? '+' : '-'} 1`,
    raisesFence ? 'fence = fence + 1' : '',
  ];
  return constant(sql, changes.filter((text) => text !== '').join(', '));
}

function constant(sql: Sql, text: string): Fragment {
  return sql`${sql.unsafe(text)}`;
}
