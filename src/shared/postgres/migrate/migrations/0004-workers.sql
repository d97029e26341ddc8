-- The workers and their life signs. The advisory lock is the first; the beat is for the one that keeps its lock and does nothing: frozen, or behind
-- a half-open connection.
create table warren.workers (
  owner int primary key,
  name text not null,
  started_at timestamptz not null default now(),
  beat_at timestamptz not null default now()
) with (fillfactor = 50);

-- Who does the chores of the fleet, and until when. One row.
create table warren.leadership (
  one boolean primary key default true check (one),
  owner int not null,
  until timestamptz not null
) with (fillfactor = 50);

insert into warren.leadership (owner, until) values (0, '-infinity');
