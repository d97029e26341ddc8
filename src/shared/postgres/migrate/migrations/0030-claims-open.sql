-- A claim is committed without waiting for the disk, so that a crash of the server can undo it while its handler runs. An unlogged table is emptied by
-- crash recovery, by a failover, and by nothing else that a server does: nobody claims while this row is missing. It is put back when the workers have
-- had the time to restore their claims. One row.
create unlogged table warren.claims_open (
  one boolean primary key default true check (one)
);

insert into warren.claims_open default values;
