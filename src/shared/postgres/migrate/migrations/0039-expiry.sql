-- Jobs that nobody may start any more, for the chore that ends them. Jobs without such a time are in neither index.
create index jobs_expiring on warren.jobs (expires_at)
  where expires_at is not null and started_at is null and state in ('scheduled', 'held', 'available');
create index jobs_overdue on warren.jobs (deadline_at)
  where deadline_at is not null and state in ('scheduled', 'held', 'available', 'retryable');
