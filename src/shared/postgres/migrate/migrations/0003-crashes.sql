-- How often a job's worker died while it ran: a job that takes its process down is found by it.
alter table warren.jobs add column crashes int not null default 0;
