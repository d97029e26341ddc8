-- By queue, the latest due time (epoch seconds) among the jobs that were delivered to the worker: their messages were published after it.
alter table warren.workers add column delivered jsonb not null default '{}';
