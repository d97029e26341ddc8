-- Who did what to jobs, queues, schedules, limits and workers, from where, and how it went. One row for each act.
create table warren.audit (
  id bigint generated always as identity primary key,
  at timestamptz not null default now(),
  -- the name of the token, and its role
  who text not null,
  role text not null,
  -- where it came from; null where nobody knows
  address text,
  -- as jobs.cancel
  act text not null,
  -- the id or name that it was done to; null where it was many
  target text,
  -- what more is known of it: the request, what was to be changed
  detail jsonb not null default '{}',
  -- null until it has ended, and for ever where its process died meanwhile
  outcome text check (outcome in ('done', 'refused', 'failed'))
);

create index audit_at on warren.audit (at);
