-- What handlers tell while they run. A job that tells nothing has no row here.
create table warren.job_logs (
  job_id bigint not null,
  id bigint generated always as identity,
  attempt int not null,
  at timestamptz not null,
  level text not null,
  message text not null,
  primary key (job_id, id)
);

-- How far a job has come: the latest word of its handler.
create table warren.job_progress (
  job_id bigint primary key,
  attempt int not null,
  share float8 not null,
  text text,
  at timestamptz not null
) with (fillfactor = 70);

-- Goes with its job, whoever deletes that. Runs as its owner: whoever may delete jobs need not be allowed to touch these tables.
create function warren.forget_job_notes() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from warren.job_logs log using gone where log.job_id = gone.id;
  delete from warren.job_progress progress using gone where progress.job_id = gone.id;
  return null;
end
$$;

create trigger notes_forgotten after delete on warren.jobs
  referencing old table as gone for each statement execute function warren.forget_job_notes();
