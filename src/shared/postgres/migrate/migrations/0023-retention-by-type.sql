-- How long jobs of the type are kept after their end, in milliseconds by state; null in it: for ever. Empty where the type says nothing. The leader, which
-- deletes, may be a worker of another application.
alter table warren.job_types add column retention jsonb;
