-- The application that a worker runs. Null for a worker of an earlier version.
alter table warren.workers add column app text;

-- How long things are kept by the settings of the applications that have told of the type, by application: of jobs by the state in which they ended
-- ("completed", "cancelled", "discarded"; null: for ever), and of idempotency keys ("idempotencyKey"), all in milliseconds. Told by workers.
alter table warren.job_types add column kept jsonb not null default '{}';
