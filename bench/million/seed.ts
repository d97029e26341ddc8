// A million jobs as a fleet leaves them: most completed, some failed, some waiting, a few of everything rare.
import type postgres from 'postgres';

export async function seed(sql: postgres.Sql, jobs: number): Promise<void> {
  await sql`
    insert into warren.jobs (type, queue, state, max_attempts, args, args_bytes, group_key, tags, created_at, run_at, started_at, finished_at, published_at, output, errors)
    select
      case when n % 100000 = 7 then 'rare' else (array['greet', 'invoice', 'report', 'deliver-webhook'])[1 + n % 4] end,
      (array['default', 'critical', 'reports'])[1 + n % 3], state, 5,
      jsonb_build_object('orderId', n, 'customer', md5(n::text), 'email', 'person' || n || '@example.com', 'note', 'please deliver to the back door before noon'),
      130, case when n % 50021 = 1 then 'acme' end, case when n % 70001 = 3 then array['urgent'] end,
      at, at, case when state <> 'scheduled' then at end, case when state in ('completed', 'cancelled', 'discarded') then at + interval '2 s' end, now(),
      case when state = 'completed' then '{"ok": true}'::jsonb end,
      case when state = 'discarded' then jsonb_build_array(jsonb_build_object('attempt', 5, 'at', now(), 'message', 'connect ECONNREFUSED 10.0.0.' || n % 250)) else '[]' end
    from generate_series(1, ${jobs}) as n, lateral (
      select now() - (${jobs} - n) * interval '100 ms' as at,
        case when n % 50 = 0 then 'discarded' when n % 997 = 0 then 'cancelled' when n % 5003 = 0 then 'scheduled' when n > ${jobs * 0.98} then 'available' else 'completed' end as state
    ) as life`;
  await sql`vacuum (analyze) warren.jobs`;
}
