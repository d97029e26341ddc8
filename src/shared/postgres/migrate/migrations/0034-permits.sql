-- Priorities: which jobs are started instead of others of their queue. Jobs of priority 0 that nobody has passed over are in neither index.
alter table warren.jobs
  -- the job is owed a start while this equals its fence: the permit of its message was spent on a more urgent job
  add column owed_fence int;

-- the claim by permits: what overtakes, the most urgent first
create index jobs_urgent on warren.jobs (queue, priority desc, id) where state = 'available' and priority > 0;
-- the claim by permits: what was passed over, in its old order
create index jobs_owed on warren.jobs (queue, priority desc, id) where state = 'available' and owed_fence = fence;
