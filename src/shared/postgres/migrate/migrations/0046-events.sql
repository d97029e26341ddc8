-- Who wants to hear of which jobs: a row for each filter, kept by the processes that have somebody who watches. Null: any. While there is no row nothing is
-- recorded. Filters are no secret, and everybody who may change jobs reads them there.
create table warren.event_watches (
  -- the filter as text
  filter text primary key,
  jobs bigint[],
  queues text[],
  types text[],
  kinds text[],
  -- nobody has asked for it after this time
  until timestamptz not null,
  -- of what happened before, some may be missing
  complete_since timestamptz not null
);
grant select on warren.event_watches to public;

-- What has happened to watched jobs, for some minutes.
create table warren.events (
  id bigint generated always as identity primary key,
  -- whose commit makes it visible: readers go by that, for ids do not become visible in their order
  xid xid8 not null default pg_current_xact_id(),
  at timestamptz not null default clock_timestamp(),
  kind text not null,
  job_id bigint not null,
  type text not null,
  queue text not null,
  -- the other members of the event
  detail jsonb not null
);
create index events_xid on warren.events (xid);

create function warren.is_watched(kind text, job_id bigint, queue text, type text) returns boolean
language sql stable
return exists (
  select from warren.event_watches watch
  where watch.until > now()
    and (watch.kinds is null or is_watched.kind = any(watch.kinds))
    and (watch.jobs is null or is_watched.job_id = any(watch.jobs))
    and (watch.queues is null or is_watched.queue = any(watch.queues))
    and (watch.types is null or is_watched.type = any(watch.types))
);

-- They run as their owner: whoever may change jobs need not be allowed to tell of it.
create function warren.tell_added_jobs() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from warren.event_watches) then
    insert into warren.events (kind, job_id, type, queue, detail)
    select 'job.enqueued', id, type, queue, jsonb_build_object('state', state, 'attempt', attempt)
    from added where warren.is_watched('job.enqueued', id, queue, type) order by id;
  end if;
  return null;
end
$$;

create function warren.tell_changed_jobs() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (select from warren.event_watches) then
    insert into warren.events (kind, job_id, type, queue, detail)
    select kind, id, type, queue,
      jsonb_build_object('state', state, 'attempt', attempt)
        || case when error is null then '{}' else jsonb_build_object('error', error) end
    from (
      select job.id, job.type, job.queue, job.state, job.attempt,
        case when jsonb_array_length(job.errors) > 0 and job.errors -> -1 is distinct from before.errors -> -1
          then job.errors -> -1 ->> 'message' end as error,
        case
          when job.state = 'running' then 'job.started'
          when job.state = 'retryable' then 'job.failed'
          when job.state in ('completed', 'cancelled', 'discarded') then 'job.ended'
          else 'job.waiting'
        end as kind
      from after_change job join before_change before using (id)
      where job.state <> before.state or (job.state = 'running' and job.fence <> before.fence)
    ) as changed
    where warren.is_watched(kind, id, queue, type) order by id;
  end if;
  return null;
end
$$;

create trigger added_told after insert on warren.jobs
  referencing new table as added for each statement execute function warren.tell_added_jobs();
create trigger changed_told after update on warren.jobs
  referencing old table as before_change new table as after_change for each statement execute function warren.tell_changed_jobs();

-- Progress and lines of the log are told of where they are written.
create function warren.tell_job_note(kind text, job_id bigint, type text, queue text, detail jsonb) returns void
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  insert into warren.events (kind, job_id, type, queue, detail)
  select tell_job_note.kind, tell_job_note.job_id, tell_job_note.type, tell_job_note.queue, tell_job_note.detail
  where warren.is_watched(tell_job_note.kind, tell_job_note.job_id, tell_job_note.queue, tell_job_note.type);
end
$$;
