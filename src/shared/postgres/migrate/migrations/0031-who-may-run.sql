-- Who may run, and when. Rows that use none of it hold nothing of it.
alter table warren.jobs
  -- 0 to 9, the higher first
  add column priority smallint not null default 0,
  -- jobs of one queue with the same group share its turns (a tenant, say)
  add column group_key text,
  -- jobs of one queue with the same key run one after the other
  add column ordering_key text,
  add column tags text[],
  -- the limits that it counts against: 'name' or 'name:key'
  add column limits text[],
  -- not started by then, never started
  add column expires_at timestamptz,
  -- the time-out over all attempts
  add column deadline_at timestamptz,
  -- the gate at which a held job waits
  add column held_for text,
  -- the order at that gate, the lowest first
  add column held_rank smallint;

-- `held`: it exists, is due, and may not be made available yet.
alter table warren.jobs drop constraint jobs_state_check;
alter table warren.jobs add constraint jobs_state_check check (
  state in ('scheduled', 'held', 'available', 'running', 'retryable', 'completed', 'cancelled', 'discarded')
) not valid;

-- A held job is live: it holds its unique key.
drop index warren.jobs_unique;
create unique index jobs_unique on warren.jobs (type, unique_key)
  where unique_key is not null and state in ('scheduled', 'held', 'available', 'running', 'retryable');
