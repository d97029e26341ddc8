-- How many jobs of a queue are held: its depth, and what a drain cancels. Plain jobs are never in it.
create index jobs_held_by_queue on warren.jobs (queue) where state = 'held';
