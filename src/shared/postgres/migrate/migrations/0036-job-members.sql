-- Unique keys that are not held until the job ends (that is `unique_key`). Rows that have none hold nothing of it.
alter table warren.jobs
  -- held until the job starts
  add column waiting_key text,
  -- held for some time, whatever becomes of the job: in warren.unique_periods
  add column period_key text;

create unique index jobs_waiting_key on warren.jobs (type, waiting_key)
  where waiting_key is not null and started_at is null and state in ('scheduled', 'held', 'available');

-- Who holds a key for some time. A row whose time is over counts for nothing.
create table warren.unique_periods (
  type text not null,
  key text not null,
  job_id bigint not null,
  until timestamptz not null,
  primary key (type, key)
);

create index unique_periods_until on warren.unique_periods (until);

-- As before, with two changes: jobs have priorities, and a held job holds its unique key.
-- Enqueues a job from any language, in a transaction and in a trigger too: it exists if and only if the transaction commits. Returns its id, or that of
-- the live job that holds the unique key. `run_at` wins over `delay`. The arguments are checked when the job runs: only the program knows their schema.
create or replace function warren.enqueue(
  type text,
  args jsonb,
  queue text default null,
  run_at timestamptz default null,
  delay interval default null,
  unique_key text default null,
  priority int default null,
  max_attempts int default null
) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  known warren.job_types;
  due_at timestamptz := coalesce(enqueue.run_at, now() + enqueue.delay, now());
  in_queue text;
  job_id bigint;
begin
  select * into known from warren.job_types t where t.name = enqueue.type;
  if not found then
    raise exception 'warren: no program has told of a job type "%"', enqueue.type
      using errcode = 'invalid_parameter_value', hint = 'Start a program of the application that defines it.';
  end if;
  if enqueue.args is null then
    raise exception 'warren: the arguments must not be null' using errcode = 'null_value_not_allowed';
  end if;
  if enqueue.queue is not null and not exists (select from warren.queues q where q.name = enqueue.queue) then
    raise exception 'warren: no program has told of a queue "%"', enqueue.queue using errcode = 'invalid_parameter_value';
  end if;
  if enqueue.max_attempts not between 1 and 1000 then
    raise exception 'warren: max_attempts must be 1 to 1000' using errcode = 'invalid_parameter_value';
  end if;
  if enqueue.priority not between 0 and 9 then
    raise exception 'warren: priority must be 0 to 9' using errcode = 'invalid_parameter_value';
  end if;
  in_queue := coalesce(enqueue.queue, known.queue);
  for try in 1..5 loop
    insert into warren.jobs as job (type, queue, args, args_bytes, max_attempts, run_at, unique_key, priority, state)
    values (enqueue.type, in_queue, enqueue.args, octet_length(enqueue.args::text),
      coalesce(enqueue.max_attempts, known.max_attempts), due_at, enqueue.unique_key, coalesce(enqueue.priority, 0),
      case when due_at > now() then 'scheduled' else 'available' end)
    on conflict (type, unique_key)
      where unique_key is not null and state in ('scheduled', 'held', 'available', 'running', 'retryable')
      do nothing
    returning job.id into job_id;
    if job_id is not null then
      -- told with the commit; under load nothing is told, for the relay looks often then
      if due_at > now() and due_at < now() + interval '1 s' or due_at <= now() and not exists (
        select from warren.jobs job
        where job.state = 'available' and job.published_at is null and job.queue = in_queue and job.type = enqueue.type
          and job.relay_at < now() and job.id <> job_id
      ) then
        perform pg_notify('warren', 'due');
      end if;
      return job_id;
    end if;
    select job.id into job_id from warren.jobs job
    where job.type = enqueue.type and job.unique_key = enqueue.unique_key
      and job.state in ('scheduled', 'held', 'available', 'running', 'retryable');
    if job_id is not null then
      return job_id;
    end if;
  end loop;
  raise exception 'warren: the unique key "%" changes hands too fast: try again', enqueue.unique_key
    using errcode = 'serialization_failure';
end
$$;
