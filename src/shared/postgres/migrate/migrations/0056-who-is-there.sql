-- What a worker tells of itself with every beat, for people, beside `version`, `slots` and `running`. Null for a worker of an earlier version.
alter table warren.workers
  -- where it takes its jobs from: 'rabbitmq' or 'postgres'
  add column lane text,
  -- how late its event loop ran at most since the beat before
  add column loop_delay_ms float8,
  -- the resident memory of its process
  add column memory_bytes bigint,
  -- it takes no more jobs and ends when those that it has are done
  add column draining boolean not null default false;

-- Since when a queue or a type is paused. Null where it is not, and where it was paused before this was noted.
alter table warren.queues add column paused_at timestamptz;
alter table warren.job_types add column paused_at timestamptz;
