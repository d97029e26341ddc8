-- Gates: who of the held jobs may go on. A gate has a name:
--   limit:NAME or limit:NAME:KEY   at most so many at once, or so many in a time
--   order:QUEUE:KEY                one live job at a time, first in, first out
--   group:QUEUE:KEY                the groups of a queue take turns
-- A held job waits at one gate, the first that has refused it. Only `warren.admit` makes it available, and it runs once at a time.

create table warren.limits (
  name text not null,
  -- told by a program at its start, or made at run time; the latter wins
  origin text not null check (origin in ('definition', 'run time')),
  -- at most so many jobs available or running
  concurrency int check (concurrency >= 1),
  -- so many starts in so many milliseconds, evenly; up to `burst` of them at once
  rate_count int check (rate_count >= 1),
  rate_per_ms int check (rate_per_ms >= 1),
  burst int check (burst >= 1),
  changed_at timestamptz not null default now(),
  primary key (name, origin),
  check (num_nonnulls(rate_count, rate_per_ms, burst) in (0, 3)),
  check (num_nonnulls(concurrency, rate_count) >= 1)
);

alter table warren.queues
  -- what follows where a job with an ordering key is discarded: the key goes on, or stops until that job is retried, cancelled or deleted
  add column on_discard text not null default 'continue' check (on_discard in ('continue', 'stop')),
  -- of one group, at most so many at once; null: any number
  add column group_max_running int check (group_max_running >= 1),
  -- turns in a row by group; 1 where a group is not named
  add column group_weights jsonb not null default '{}';

-- Who was let through which gate. A pass counts only while its job has the place: what is left of others is deleted by whoever looks.
create table warren.passes (
  gate text collate "C" not null,
  job_id bigint not null,
  since timestamptz not null,
  -- of the job when it was let through: a claim raises it
  fence int not null,
  -- its start has been counted against the rate
  started boolean not null default false,
  primary key (gate, job_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- What a gate knows beside its passes.
create table warren.gates (
  gate text collate "C" primary key,
  -- of a rate: when its bucket is full again, in epoch milliseconds (the theoretical arrival time of GCRA)
  full_at_ms float8,
  -- of the groups of a queue: whose turn it was last, and how many turns it has had in a row
  turn text collate "C",
  turns int not null default 0
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);

-- the held jobs of each gate, in its order
create index jobs_held on warren.jobs (held_for collate "C", held_rank, id) where state = 'held';

-- The gates of a job, in the order in which it passes them; none for a plain job.
create function warren.gates_of(queue text, group_key text, ordering_key text, limits text[]) returns text[]
language sql immutable parallel safe
as $$
  select array_remove(
    array['order:' || queue || ':' || ordering_key]
      || (select array_agg('limit:' || limit_name order by place) from unnest(limits) with ordinality as named(limit_name, place))
      || array['group:' || queue || ':' || group_key],
    null)
$$;

-- The first of them; null for a plain job.
create function warren.first_gate(queue text, group_key text, ordering_key text, limits text[]) returns text
language sql immutable parallel safe
as $$
  select coalesce('order:' || queue || ':' || ordering_key, 'limit:' || limits[1], 'group:' || queue || ':' || group_key)
$$;

-- The place of a job at a gate, the lowest first: priority counts, but never within an order.
create function warren.rank_at(gate text, priority smallint) returns smallint
language sql immutable parallel safe
as $$
  select case when gate like 'order:%' then 0 when gate is not null then 9 - priority end::smallint
$$;

-- How many more jobs a limit lets through now, and when the next where the rate says none. Starts are counted against the rate when they happened; a job
-- that was let through and has not started counts as one that starts now, so that no pile is started at once. Called under the lock of admission.
create function warren.limit_room(gate text, moment timestamptz, out places int, out next_ms float8)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  found_limit warren.limits;
  now_ms float8 := extract(epoch from limit_room.moment) * 1000;
  between_ms float8;
  span_ms float8;
  full_at float8;
  start_ms float8;
  starts float8[];
  in_use int;
  pending int;
begin
  places := 2147483647;
  select * into found_limit from warren.limits l
  where l.name = split_part(limit_room.gate, ':', 2) order by l.origin desc limit 1;
  if not found then
    return;
  end if;
  with seen as materialized ( -- in one statement: what starts meanwhile is seen by the next one
    select pass.job_id, coalesce(job.state = 'available', false) as is_pending,
      coalesce(job.state = 'available' or job.state = 'running' and found_limit.concurrency is not null, false) as has_place,
      not pass.started and (job.id is null or job.state <> 'available' and job.started_at is not null and job.fence > pass.fence) as has_started,
      extract(epoch from greatest(pass.since, job.started_at)) * 1000 as start_ms
    from warren.passes pass left join warren.jobs job on job.id = pass.job_id
    where pass.gate = limit_room.gate
  ),
  gone as (
    delete from warren.passes p using seen where p.gate = limit_room.gate and p.job_id = seen.job_id and not seen.has_place
  ),
  counted as (
    update warren.passes p set started = true from seen
    where p.gate = limit_room.gate and p.job_id = seen.job_id and seen.has_place and seen.has_started
  )
  select array_agg(seen.start_ms order by seen.start_ms) filter (where has_started), count(*) filter (where has_place), count(*) filter (where is_pending)
  into starts, in_use, pending from seen;
  if found_limit.concurrency is not null then
    places := found_limit.concurrency - in_use;
  end if;
  if found_limit.rate_count is null then
    return;
  end if;
  between_ms := found_limit.rate_per_ms::float8 / found_limit.rate_count;
  span_ms := found_limit.burst * between_ms;
  select g.full_at_ms into full_at from warren.gates g where g.gate = limit_room.gate;
  full_at := least(coalesce(full_at, 0), now_ms + span_ms); -- the clock may have been set back
  if starts is not null then
    foreach start_ms in array starts loop
      full_at := greatest(full_at, start_ms) + between_ms;
    end loop;
    insert into warren.gates as g (gate, full_at_ms) values (limit_room.gate, full_at)
    on conflict on constraint gates_pkey do update set full_at_ms = excluded.full_at_ms;
  end if;
  if places > 0 then
    places := least(places, floor((now_ms + span_ms - greatest(full_at, now_ms)) / between_ms + 1e-6)::int - pending);
    if places <= 0 then
      -- a share of the burst at a time, so that a fast rate is not asked for each job; where only a start helps: soon
      next_ms := greatest(greatest(full_at, now_ms) + (pending + 1) * between_ms - span_ms - now_ms, least(20, span_ms / 4), 1);
      next_ms := least(next_ms, case when pending > 0 then greatest(25, least(20, span_ms / 4)) end);
    end if;
  end if;
end
$$;

-- How many more jobs the groups of a queue may have available and not started: as many as its living workers run at once, at least 16, so that a
-- group that comes later waits behind few. `gate`: 'group:QUEUE:'. Called under the lock of admission.
create function warren.turns_room(gate text) returns int
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  return greatest(16, (
      select coalesce(sum((worker.slots ->> split_part(turns_room.gate, ':', 2))::int), 0) from warren.workers worker
      where worker.beat_at > now() - interval '10 s'
    )) - (
      select count(*) from warren.passes p join warren.jobs job on job.id = p.job_id and job.state = 'available'
      where p.gate > turns_room.gate and p.gate < rtrim(turns_room.gate, ':') || ';'
    );
end
$$;

-- How many more jobs of a group may be available or running. Called under the lock of admission.
create function warren.group_room(gate text) returns int
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from warren.passes p
  where p.gate = group_room.gate
    and not exists (select from warren.jobs job where job.id = p.job_id and job.state in ('available', 'running'));
  return coalesce((select q.group_max_running from warren.queues q where q.name = split_part(group_room.gate, ':', 2)), 2147483647)
    - (select count(*) from warren.passes p where p.gate = group_room.gate);
end
$$;

-- The job that has the order, if any: it keeps it until it ends, and beyond where the key stops at a discarded job. Called under the lock of admission.
create function warren.order_holder(gate text) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from warren.passes p
  where p.gate = order_holder.gate and not exists (
    select from warren.jobs job where job.id = p.job_id and (
      job.state in ('scheduled', 'held', 'available', 'running', 'retryable')
      or job.state = 'discarded' and exists (
        select from warren.queues q where q.name = job.queue and q.on_discard = 'stop')));
  return (select p.job_id from warren.passes p where p.gate = order_holder.gate limit 1);
end
$$;

-- The first held job of a group, locked; null where the group is full or none waits. Called under the lock of admission.
create function warren.first_of_group(gate text, places jsonb) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if coalesce((places ->> first_of_group.gate)::int, warren.group_room(first_of_group.gate)) <= 0 then
    return null;
  end if;
  return (
    select job.id from warren.jobs job where job.state = 'held' and job.held_for collate "C" = first_of_group.gate
    order by job.held_rank, job.id limit 1 for update skip locked);
end
$$;

-- The next held job whose group has its turn and is not full; null where none waits. `looks` is how many full groups the caller may still pass over. Once it
-- is used up, the turn is left at the last group looked at, so that the next call goes on from there, and only the groups that were asked for are looked at:
-- the place that was just given back is used at once. `places`: what is left of the groups that are known. Called under the lock of admission.
create function warren.next_turn(gate text, asked text[], places jsonb, inout looks int, out job_id bigint)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  last warren.gates;
  one_group text;
  past_all text := rtrim(next_turn.gate, ':') || ';';
  after text;
  until text;
begin
  if looks > 0 then
    select * into last from warren.gates g where g.gate = next_turn.gate;
    if last.turn is not null and last.turns < coalesce((
      select (q.group_weights ->> substr(last.turn, length(next_turn.gate) + 1))::int from warren.queues q
      where q.name = split_part(next_turn.gate, ':', 2)), 1)
    then
      job_id := warren.first_of_group(last.turn, places);
      if job_id is not null then
        return;
      end if;
    end if;
    after := coalesce(last.turn, next_turn.gate);
    until := past_all;
    for round in 1..2 loop
      loop
        select job.held_for into one_group from warren.jobs job
        where job.state = 'held' and job.held_for collate "C" > after and job.held_for collate "C" < until
        order by job.held_for collate "C" limit 1;
        exit when not found;
        job_id := warren.first_of_group(one_group, places);
        if job_id is not null then
          return;
        end if;
        after := one_group;
        looks := looks - 1;
        exit when looks = 0;
      end loop;
      exit when looks = 0 or last.turn is null;
      after := next_turn.gate;
      until := last.turn || chr(1); -- that group too, which comes last
    end loop;
    if looks > 0 then
      return;
    end if;
    insert into warren.gates as g (gate, turn, turns) values (next_turn.gate, after, 0)
    on conflict on constraint gates_pkey do update set turn = excluded.turn, turns = excluded.turns;
  end if;
  foreach one_group in array asked loop
    if starts_with(one_group, next_turn.gate) then
      job_id := warren.first_of_group(one_group, places);
      exit when job_id is not null;
    end if;
  end loop;
end
$$;

-- Lets held jobs through the gates that were asked for, in the order of each, and makes those available that have passed all of theirs; the others wait at
-- the gate that refuses them. One at a time, and each statement sees what is committed: so no place is given twice. Returns the jobs that are available
-- now, for whoever publishes them; and gates at which jobs wait for a time, with the milliseconds until then (0: there is more to do at once).
create function warren.admit(asked text[], most int default 500)
returns table (id bigint, type text, queue text, fence int, gate text, next_ms float8)
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  moment timestamptz;
  this_gate text;
  kind text;
  job warren.jobs;
  passing text;
  refuser text;
  holder bigint;
  places jsonb := '{}'; -- what is left of the limits, the groups and the turns that a job has come to
  looks int; -- full groups that may still be passed over at this gate
  turn_of bigint;
  paused text[];
  changed int := 0;
begin
  perform pg_advisory_xact_lock(2002874994, -2);
  paused := array(select q.name from warren.queues q where q.paused); -- not before: a queue may be resumed while this waits
  moment := clock_timestamp();
  foreach passing in array array(select distinct given.name from unnest(asked) as given(name)) loop -- forgets what has ended, whoever waits
    if passing like 'limit:%' then
      places := places || jsonb_build_object(passing, (warren.limit_room(passing, moment)).places);
    elsif passing like 'group:%' then
      perform warren.group_room(passing);
    end if;
  end loop;
  for this_gate in
    select distinct case when given.name like 'group:%' then 'group:' || split_part(given.name, ':', 2) || ':' else given.name end
    from unnest(asked) as given(name)
  loop
    kind := split_part(this_gate, ':', 1);
    looks := 1000;
    if kind = 'group' then
      places := places || jsonb_build_object(this_gate, warren.turns_room(this_gate));
    end if;
    <<waiters>>
    loop
      if changed >= most then
        gate := this_gate;
        next_ms := 0;
        return next;
        exit waiters;
      end if;
      job := null;
      if kind = 'order' then
        holder := warren.order_holder(this_gate);
        select * into job from warren.jobs j
        where j.state = 'held' and j.held_for collate "C" = this_gate and (holder is null or j.id = holder)
        order by j.held_rank, j.id limit 1;
        exit waiters when job.id is null or not exists (
          select from warren.jobs j where j.id = job.id and j.state = 'held' for update skip locked);
      elsif kind = 'group' and (places ->> this_gate)::int > 0 then
        select turn.looks, turn.job_id into looks, turn_of from warren.next_turn(this_gate, asked, places, looks) as turn;
        select * into job from warren.jobs j where j.id = turn_of;
      elsif kind = 'limit' and (places ->> this_gate)::int > 0 or kind = 'pause' and split_part(this_gate, ':', 2) <> all (paused) then
        select * into job from warren.jobs j where j.state = 'held' and j.held_for collate "C" = this_gate
        order by j.held_rank, j.id limit 1 for update skip locked;
      end if;
      exit waiters when job.id is null;

      refuser := case when job.queue = any (paused) then 'pause:' || job.queue end;
      if refuser is null then
        foreach passing in array warren.gates_of(job.queue, job.group_key, job.ordering_key, job.limits) loop
          if passing like 'order:%' then
            holder := warren.order_holder(passing);
            if holder is null then
              insert into warren.passes (gate, job_id, since, fence) values (passing, job.id, moment, job.fence);
            elsif holder <> job.id then
              refuser := passing;
            end if;
          elsif passing like 'limit:%' then
            if not places ? passing then
              places := places || jsonb_build_object(passing, (warren.limit_room(passing, moment)).places);
            end if;
            if (places ->> passing)::int <= 0 then
              refuser := passing;
            end if;
          else
            if not places ? passing then
              places := places || jsonb_build_object(passing, warren.group_room(passing));
            end if;
            if not places ? ('group:' || job.queue || ':') then
              places := places
                || jsonb_build_object('group:' || job.queue || ':', warren.turns_room('group:' || job.queue || ':'));
            end if;
            if least((places ->> passing)::int, (places ->> ('group:' || job.queue || ':'))::int) <= 0 then
              refuser := passing;
            end if;
          end if;
          exit when refuser is not null;
        end loop;
      end if;

      if refuser is null then
        update warren.jobs j set state = 'available', published_at = null, relay_at = now() + interval '2 s' where j.id = job.id;
        insert into warren.passes as p (gate, job_id, since, fence)
        select passed.name, job.id, moment, job.fence
        from unnest(warren.gates_of(job.queue, job.group_key, job.ordering_key, job.limits)) as passed(name)
        on conflict on constraint passes_pkey do update set since = excluded.since, fence = excluded.fence, started = false;
        select places || coalesce(jsonb_object_agg(key, value::int - 1), '{}') into places from jsonb_each_text(places)
        where key = any (warren.gates_of(job.queue, job.group_key, job.ordering_key, job.limits))
          or job.group_key is not null and key = 'group:' || job.queue || ':';
        if job.group_key is not null and looks > 0 then -- else it was not its turn
          insert into warren.gates as g (gate, turn, turns)
          values ('group:' || job.queue || ':', 'group:' || job.queue || ':' || job.group_key, 1)
          on conflict on constraint gates_pkey do update
          set turns = case when g.turn = excluded.turn then g.turns + 1 else 1 end, turn = excluded.turn;
        end if;
        id := job.id;
        type := job.type;
        queue := job.queue;
        fence := job.fence;
        gate := null;
        next_ms := null;
        return next;
        changed := changed + 1;
      elsif refuser is distinct from job.held_for then
        update warren.jobs j set held_for = refuser, held_rank = warren.rank_at(refuser, j.priority) where j.id = job.id;
        changed := changed + 1;
      else
        exit waiters;
      end if;
    end loop;
  end loop;
  id := null;
  type := null;
  queue := null;
  fence := null;
  for this_gate in select used.key from jsonb_each_text(places) as used where used.key like 'limit:%' and used.value::int <= 0 loop
    next_ms := (warren.limit_room(this_gate, moment)).next_ms;
    if next_ms is not null
      and exists (select from warren.jobs j where j.state = 'held' and j.held_for collate "C" = this_gate)
    then
      gate := this_gate;
      return next;
    end if;
  end loop;
end
$$;
