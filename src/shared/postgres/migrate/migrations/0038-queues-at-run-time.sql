-- What people set while the programs run. Null: as each worker's WORKER_QUEUES has it, or the application; without a limit.
alter table warren.queues
  add column channels int check (channels between 1 and 100),
  add column prefetch int check (prefetch between 1 and 2000),
  -- as many jobs may wait here; the API refuses more
  add column max_depth int check (max_depth between 1 and 1000000);

-- A paused type takes jobs and runs none.
alter table warren.job_types add column paused boolean not null default false;

-- What a worker tells of itself, for people: its version, and by queue how many jobs it runs at once at most (`slots`) and now (`running`). Null for a
-- worker of an earlier version. `drain_requested_at`: it is asked to take no more jobs, and does so as soon as it reads that.
alter table warren.workers
  add column version text,
  add column slots jsonb,
  add column running jsonb,
  add column drain_requested_at timestamptz;
