-- How many jobs there are, by queue, type and state: the sum of these rows. Whatever changes warren.jobs adds rows in the same transaction, one for each
-- queue, type and state that has gained or lost jobs, so the sum is right whatever dies; no two transactions wait for each other. The leader folds many
-- rows into few. Without an index, so that a row costs next to nothing.
create table warren.job_counts (
  queue text not null,
  type text not null,
  state text not null,
  jobs bigint not null
) with (
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_insert_scale_factor = 0.1,
  autovacuum_vacuum_cost_delay = 0,
  vacuum_truncate = off  -- would lock out the writers for a moment
);

-- Runs as its owner: whoever may change jobs need not be allowed to change the counts.
create function warren.count_jobs() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if tg_op = 'INSERT' then
    insert into warren.job_counts (queue, type, state, jobs)
    select queue, type, state, count(*) from after_change group by queue, type, state;
  elsif tg_op = 'UPDATE' then
    insert into warren.job_counts (queue, type, state, jobs)
    select queue, type, state, sum(jobs) from (
      select queue, type, state, 1 as jobs from after_change
      union all
      select queue, type, state, -1 from before_change
    ) as changed
    group by queue, type, state having sum(jobs) <> 0;
  elsif tg_op = 'DELETE' then
    insert into warren.job_counts (queue, type, state, jobs)
    select queue, type, state, -count(*) from before_change group by queue, type, state;
  else
    truncate warren.job_counts;
  end if;
  return null;
end
$$;

create trigger count_added after insert on warren.jobs
  referencing new table as after_change for each statement execute function warren.count_jobs();
create trigger count_changed after update on warren.jobs
  referencing old table as before_change new table as after_change for each statement execute function warren.count_jobs();
create trigger count_deleted after delete on warren.jobs
  referencing old table as before_change for each statement execute function warren.count_jobs();
create trigger count_forgotten after truncate on warren.jobs
  for each statement execute function warren.count_jobs();

-- Counts anew, for whoever has switched the triggers off (a restore of data alone, say). Nobody changes a job meanwhile.
create function warren.recount_jobs() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  lock table warren.jobs in share row exclusive mode;
  truncate warren.job_counts;
  insert into warren.job_counts (queue, type, state, jobs)
  select queue, type, state, count(*) from warren.jobs group by queue, type, state;
end
$$;

select warren.recount_jobs();
