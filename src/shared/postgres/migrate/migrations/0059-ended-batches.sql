-- Batches that have ended, the earliest first: they are forgotten from there without reading the others.
create index batches_finished_at on warren.batches (finished_at) where finished_at is not null;
