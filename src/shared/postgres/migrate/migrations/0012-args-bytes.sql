-- The length of the arguments as JSON text: a claim takes no more of them than its worker has room for, and Postgres knows only the compressed size
-- without reading them. Empty in rows that an earlier version inserts or has inserted; there it is worked out when it is asked for.
alter table warren.jobs add column args_bytes int;
