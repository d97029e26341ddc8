-- Schedules: what is enqueued again and again. A name means one schedule in the whole database.
create table warren.schedules (
  name text primary key,
  -- the application whose program has defined it
  app text not null,
  -- exactly one of the three
  cron text,
  every_ms bigint,
  at timestamptz,
  timezone text not null,
  type text not null,
  args jsonb not null,
  options jsonb not null,
  -- the job as it is inserted at each tick, but for its time: made by a program that knows the type
  job jsonb not null,
  overlap text not null check (overlap in ('allow', 'skip', 'queue', 'cancel-previous')),
  catch_up text not null check (catch_up in ('none', 'last', 'all')),
  jitter_ms bigint not null,
  paused boolean not null default false,
  -- the first tick that nobody has decided; null: none will come
  next_tick timestamptz,
  -- grows with each change, so that what was planned by the definition of before is refused
  revision bigint not null default 1,
  -- as the code of a program told it last, and when; null: defined at run time
  told jsonb,
  told_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (num_nonnulls(cron, every_ms, at) = 1)
);

-- the ticker: what is due
create index schedules_next_tick on warren.schedules (next_tick) where next_tick is not null;

-- What became of each tick. The key is why a tick has one job at most, whoever inserts it. Stays when the schedule is removed.
create table warren.schedule_ticks (
  schedule text not null,
  tick timestamptz not null,
  -- one row may stand for many ticks that were missed: up to this one
  until timestamptz,
  outcome text not null check (outcome in ('enqueued', 'skipped', 'missed')),
  -- why, where it is not enqueued; 'run-now' where somebody asked for it
  reason text,
  job_id bigint,
  -- its job had not ended when the ticker looked last
  is_open boolean not null default false,
  decided_at timestamptz not null default clock_timestamp(),
  primary key (schedule, tick)
);

-- overlap: the jobs of a schedule that have not ended
create index schedule_ticks_open on warren.schedule_ticks (schedule) where is_open;
-- the pruner
create index schedule_ticks_decided_at on warren.schedule_ticks (decided_at);

-- The schedules that a worker's code defines. Null for a worker of an earlier version.
alter table warren.workers add column schedules text[];
