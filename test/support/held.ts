// Jobs with gates, inserted as a program outside does.
import postgres from 'postgres';
import { eventually } from './eventually.ts';
import type { Fleet } from './fleet.ts';
import type { TestDatabase } from './servers.ts';

export interface Gated {
  limits?: string[];
  group?: string;
  orderingKey?: string;
  priority?: number;
  args?: object;
}

/** Inserts the jobs, due and held, in one statement. Returns their ids in order. Nobody is told: the gatekeeper finds them. */
export async function insertHeld(fleet: Fleet, jobs: readonly Gated[]): Promise<string[]> {
  const rows = await fleet.sql(
    (sql) => sql<{ id: string }[]>`
      with given as (
        select ordinality as n, value as job, value ->> 'group' as group_key, value ->> 'orderingKey' as ordering_key,
          case when value ? 'limits' then array(select jsonb_array_elements_text(value -> 'limits')) end as limits,
          coalesce((value ->> 'priority')::smallint, 0::smallint) as priority
        from jsonb_array_elements(${JSON.stringify(jobs)}::text::jsonb) with ordinality
      ),
      gated as (
        select *, warren.first_gate('default', group_key, ordering_key, limits) as gate from given
      )
      insert into warren.jobs (type, queue, args, max_attempts, priority, group_key, ordering_key, limits, state, held_for, held_rank)
      select 'test-job', 'default', coalesce(job -> 'args', '{}'), 5, priority, group_key, ordering_key, limits, 'held', gate,
        warren.rank_at(gate, priority)
      from gated order by n
      returning id::text`,
  );
  return rows.map(({ id }) => id);
}

/** Resolves when so many jobs are in the state. */
export async function untilCount(fleet: Fleet, state: string, count: number): Promise<void> {
  await eventually(
    () => fleet.sql((sql) => sql`select count(*)::int as count from warren.jobs where state = ${state}`),
    ([row]) => row?.['count'] === count,
  );
}

/** Keeps everybody from letting jobs through until it is disposed of: what is held stays held. */
export async function stopAdmission({ url }: Pick<TestDatabase, 'url'>): Promise<AsyncDisposable> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await sql`select pg_advisory_lock(2002874994, -2)`; // as warren.admit takes it
  return { [Symbol.asyncDispose]: () => sql.end() };
}

/** Puts a limit, as a person does. */
export async function putLimits(fleet: Fleet, ...names: string[]): Promise<void> {
  await fleet.sql(
    (sql) =>
      sql`insert into warren.limits (name, origin, concurrency) select unnest(${names}::text[]), 'run time', 1`,
  );
}
