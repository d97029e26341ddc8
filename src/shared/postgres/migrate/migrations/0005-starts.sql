-- The worker numbers its claiming statements; each job carries the number of its own, and the worker's row the last one whose handlers have all been
-- started. A job that was claimed and not started when its worker died is not charged an attempt.
alter table warren.jobs add column claim_batch int;
alter table warren.workers add column started_batch int not null default 0;
