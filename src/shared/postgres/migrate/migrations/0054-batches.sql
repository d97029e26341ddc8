-- Jobs that belong together.
create table warren.batches (
  id bigint generated always as identity primary key,
  created_at timestamptz not null default now(),
  -- it does not end although none of its jobs lives: somebody adds more from outside, and closes it then
  is_open boolean not null,
  -- jobs to enqueue, as insertJobs takes them: when a member is discarded, when all have completed, when all have ended
  on_first_failure jsonb,
  on_success jsonb,
  on_end jsonb,
  failed_at timestamptz,
  cancel_requested_at timestamptz,
  finished_at timestamptz,
  -- how many of its jobs ended in which state; null until then
  final_counts jsonb
);
-- those that have not ended, by the name under which they are looked after
create index batches_live on warren.batches (('batch:' || id) collate "C") where finished_at is null;

alter table warren.jobs
  add column batch_id bigint,
  -- the batch whose end, success or failure this job was enqueued for
  add column callback_of bigint;
create index jobs_batch on warren.jobs (batch_id, state) where batch_id is not null;
