// Whether the counts that the database keeps equal a full count of the jobs, in one snapshot.
import type postgres from 'postgres';

/** What differs, by queue, type and state: empty where nothing does. */
export async function findMiscounts(sql: postgres.Sql): Promise<string[]> {
  const rows = await sql<{ told: string }[]>`
    select format('%s %s %s: %s kept, %s there', queue, type, state, coalesce(kept.jobs, 0), coalesce(counted.jobs, 0)) as told
    from (select queue, type, state, sum(jobs) as jobs from warren.job_counts group by queue, type, state having sum(jobs) <> 0) as kept
    full join (select queue, type, state, count(*) as jobs from warren.jobs group by queue, type, state) as counted
      using (queue, type, state)
    where kept.jobs is distinct from counted.jobs`;
  return rows.map(({ told }) => told);
}
