/**
 * What `warren doctor` looks at in Postgres: the server, the schema, and what the fleet has told. Reads only, on a connection of its own.
 *
 * Guarantees: every statement has a deadline; a table is counted to a bound. What the role may not see (what others run, without `pg_read_all_stats`) is left out.
 */
import postgres from 'postgres';
import { commandOptions } from '../connection-options.ts';
import type { Sql } from '../database.ts';
import { expectedIndexes } from '../migrate/expected-indexes.ts';
import type { Fragment } from '../statements/parts.ts';
import { isBeating, isPresent, servedTypes } from '../statements/parts.ts';
import { isTimed } from '../statements/states.ts';
import { findTextIndexes } from '../statements/text-indexes.ts';
import type { ConnectionFacts } from './connection-facts.ts';
import { readConnections } from './connection-facts.ts';
import type { JobFacts } from './job-facts.ts';
import { readJobFacts } from './job-facts.ts';

export interface ServerFacts extends ConnectionFacts {
  schemaVersion: number | null;
  /** How far its clock is ahead of this machine's. */
  clockAheadMs: number;
  unsafeSettings: string[];
  invalidIndexes: string[];
  missingIndexes: string[];
  /** Of the indexes of texts, where some of them are there and others are not. */
  missingTextIndexes: string[];
  bloatedTables: { name: string; dead: number; live: number }[];
  tablesWithoutAutovacuum: string[];
  longTransactions: { pid: number; name: string; seconds: number }[];
  preparedTransactions: { name: string; seconds: number }[];
  idleSlots: string[];
  transactionsLeft: number;
}

export interface FleetFacts {
  workers: {
    name: string;
    version: string;
    lane: string;
    loopDelayMs: number;
    isBeating: boolean;
    silentSeconds: number;
    /** Its session is gone, and none of the jobs that it ran still counts as running there. */
    isOver: boolean;
  }[];
  areClaimsOpen: boolean;
  leaderlessSeconds: number;
  /** `since`: a time of Postgres, as everywhere here; null where an earlier version has paused it. */
  pausedQueues: { name: string; waiting: number; since: string | null }[];
  pausedTypes: { name: string; waiting: number; since: string | null }[];
  /** `since`: when the oldest of them could have started. */
  unservedQueues: { queue: string; jobs: number; since: string }[];
  unservedTypes: { queue: string; type: string; jobs: number; since: string }[];
  forgottenSeconds: number | null;
  overdueSeconds: number | null;
  orphans: number;
  lateSchedules: string[];
  /** Names of the connections of our programs. */
  programs: string[];
  lackedGrants: { role: string; grants: string }[];
}

export interface DatabaseFacts {
  server: ServerFacts;
  /** Undefined where the schema is not there, or older. */
  fleet: FleetFacts | undefined;
  /** With `fleet`. */
  jobs: JobFacts | undefined;
}

const DEADLINE_MS = 15_000;
const MAX_COUNTED = 10_000;

export interface FactsOptions {
  url: string;
  wantedVersion: number;
  /** What the role of a worker must be allowed to, by table. */
  workerGrants: Readonly<Record<string, readonly string[]>>;
}

/** Throws what Postgres says, where it cannot be asked. */
export async function readDatabaseFacts({
  url,
  wantedVersion,
  workerGrants,
}: FactsOptions): Promise<DatabaseFacts> {
  const { connection, ...options } = commandOptions('warren-doctor');
  const sql = postgres(url, {
    ...options,
    fetch_types: false,
    connection: { ...connection, statement_timeout: DEADLINE_MS, jit: 'off' },
  });
  try {
    const server = await readServer(sql);
    const isCurrent = (server.schemaVersion ?? 0) >= wantedVersion;
    return {
      server,
      fleet: isCurrent ? await readFleet(sql, workerGrants) : undefined,
      jobs: isCurrent ? await readJobFacts(sql) : undefined,
    };
  } finally {
    await sql.end({ timeout: 2 });
  }
}

type ServerRow = Omit<
  ServerFacts,
  keyof ConnectionFacts | 'schemaVersion' | 'clockAheadMs' | 'missingTextIndexes'
>;

async function readServer(sql: postgres.Sql): Promise<ServerFacts> {
  const [{ exists } = { exists: false }] = await sql<{ exists: boolean }[]>`
    select to_regclass('warren.migrations') is not null as exists`;
  const [row] = exists
    ? await sql<{ version: number }[]>`select max(version) as version from warren.migrations`
    : [];
  const startedAt = Date.now();
  const [facts] = await sql<(ServerRow & { nowMs: number })[]>`
    select extract(epoch from clock_timestamp())::float8 * 1000 as "nowMs",
      ${list(
        sql,
        sql`
        select name || ' is off' as found from pg_settings where name in ('fsync', 'full_page_writes', 'autovacuum') and setting = 'off'
      `,
      )} as "unsafeSettings",
      ${list(
        sql,
        sql`
        select class.relname as found from pg_index index join pg_class class on class.oid = index.indexrelid
        where class.relnamespace = to_regnamespace('warren') and not index.indisvalid
      `,
      )} as "invalidIndexes",
      ${list(
        sql,
        sql`
        select name as found from jsonb_array_elements_text(${JSON.stringify(expectedIndexes())}::text::jsonb) as name
        where to_regnamespace('warren') is not null and to_regclass('warren.' || name) is null
      `,
      )} as "missingIndexes",
      ${list(
        sql,
        sql`
        select jsonb_build_object('name', relname, 'dead', n_dead_tup, 'live', n_live_tup) as found
        from pg_stat_user_tables where schemaname = 'warren' and n_dead_tup > 50000 and n_dead_tup > n_live_tup
      `,
      )} as "bloatedTables",
      ${list(
        sql,
        sql`
        select relname as found from pg_class
        where relnamespace = to_regnamespace('warren') and relkind = 'r' and 'autovacuum_enabled=false' = any (reloptions)
      `,
      )} as "tablesWithoutAutovacuum",
      ${list(
        sql,
        sql`
        select jsonb_build_object('pid', pid, 'name', application_name, 'seconds', extract(epoch from now() - xact_start)::int) as found
        from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and xact_start < now() - interval '5 min'
          and backend_type = 'client backend'
      `,
      )} as "longTransactions",
      ${list(
        sql,
        sql`
        select jsonb_build_object('name', gid, 'seconds', extract(epoch from now() - prepared)::int) as found
        from pg_prepared_xacts where database = current_database() and prepared < now() - interval '5 min'
      `,
      )} as "preparedTransactions",
      ${list(sql, sql`select slot_name as found from pg_replication_slots where not active`)} as "idleSlots",
      (select 2147483648 - age(datfrozenxid) from pg_database where datname = current_database())::float8 as "transactionsLeft"`;
  if (facts === undefined) throw new Error('Postgres gave no answer');
  const { nowMs, ...server } = facts;
  const clockAheadMs = nowMs - (startedAt + Date.now()) / 2;
  const missingTextIndexes = await findMissingTextIndexes(sql);
  const connections = await readConnections(sql);
  return { ...server, ...connections, schemaVersion: row?.version ?? null, clockAheadMs, missingTextIndexes };
}

async function findMissingTextIndexes(sql: Sql): Promise<string[]> {
  const indexes = await findTextIndexes(sql);
  const missing = indexes.filter(({ state }) => state === 'missing');
  return missing.length === indexes.length ? [] : missing.map(({ name }) => name); // none is as good as all
}

/** What a subquery finds, as a JSON array. */
function list(sql: Sql, query: Fragment): Fragment {
  return sql`(select coalesce(jsonb_agg(found), '[]') from (${query}) as each)`;
}

function workersOf(sql: Sql): Fragment {
  return list(
    sql,
    sql`
      select jsonb_build_object('name', name, 'version', version, 'lane', lane, 'loopDelayMs', loop_delay_ms, 'isBeating', ${isBeating(sql)},
        'silentSeconds', extract(epoch from now() - beat_at)::int,
        'isOver', not ${isPresent(sql, sql`worker.owner`)}
          and not exists (select from warren.jobs job where state = 'running' and job.owner = worker.owner)) as found
      from warren.workers worker
    `,
  );
}

async function readFleet(sql: Sql, workerGrants: FactsOptions['workerGrants']): Promise<FleetFacts> {
  const [facts] = await sql<FleetFacts[]>`
    select ${workersOf(sql)} as workers,
      exists (select from warren.claims_open) as "areClaimsOpen",
      (select greatest(0, extract(epoch from now() - greatest(until, now() - interval '1 year')))::int from warren.leadership) as "leaderlessSeconds",
      ${list(
        sql,
        sql`
        select jsonb_build_object('name', name, 'waiting', waiting, 'since', paused_at) as found
        from warren.queues queue, lateral (${waitingIn(sql, sql`job.queue = queue.name`)}) as counted where paused and waiting > 0
      `,
      )} as "pausedQueues",
      ${list(
        sql,
        sql`
        select jsonb_build_object('name', name, 'waiting', waiting, 'since', paused_at) as found
        from warren.job_types type, lateral (${waitingIn(sql, sql`job.queue = type.queue and job.type = type.name`)}) as counted where paused and waiting > 0
      `,
      )} as "pausedTypes",
      ${list(
        sql,
        sql`
        select jsonb_build_object('queue', queue, 'jobs', count(*), 'since', min(run_at)) as found from (${longAvailable(sql)}) as job
        where queue not in (select queue from ${servedTypes(sql)} as served) group by queue
      `,
      )} as "unservedQueues",
      ${list(
        sql,
        sql`
        select jsonb_build_object('queue', queue, 'type', type, 'jobs', count(*), 'since', min(run_at)) as found from (${longAvailable(sql)}) as job
        where queue in (select queue from ${servedTypes(sql)} as served)
          and (queue, type) not in (select queue, type from ${servedTypes(sql)} as served) group by queue, type
      `,
      )} as "unservedTypes",
      (
        select extract(epoch from now() - min(relay_at))::int from (${longAvailable(sql)}) as job
        where published_at is null and (queue, type) in (select queue, type from ${servedTypes(sql)} as served)
          and queue not in (select name from warren.queues where paused) and type not in (select name from warren.job_types where paused)
      ) as "forgottenSeconds",
      (select extract(epoch from now() - min(run_at))::int from warren.jobs where ${isTimed(sql)} and run_at < now() - interval '1 min')
        as "overdueSeconds",
      (
        select count(*)::int from (
          select owner from warren.jobs where state = 'running' and started_at < now() - interval '3 min' limit ${MAX_COUNTED}
        ) as job where owner not in (select owner from warren.workers where beat_at > now() - interval '2 min')
      ) as orphans,
      ${list(
        sql,
        sql`
        select name as found from warren.schedules where not paused and next_tick < now() - interval '2 min'
      `,
      )} as "lateSchedules",
      ${list(
        sql,
        sql`
        select distinct application_name as found from pg_stat_activity
        where datname = current_database() and application_name ~ '^warren-(api|worker)@[^ ]+$'
      `,
      )} as programs,
      ${list(sql, lackedGrants(sql, workerGrants))} as "lackedGrants"`;
  if (facts === undefined) throw new Error('Postgres gave no answer');
  return facts;
}

function waitingIn(sql: Sql, condition: Fragment): Fragment {
  return sql`
    select count(*)::int as waiting from (
      select from warren.jobs job where job.state = 'available' and ${condition} limit ${MAX_COUNTED}
    ) as counted_jobs`;
}

/** Jobs that could have started half a minute ago. */
function longAvailable(sql: Sql): Fragment {
  return sql`
    select queue, type, run_at, published_at, relay_at from warren.jobs
    where state = 'available' and relay_at < now() - interval '30 s' limit ${MAX_COUNTED}`;
}

/** Of the roles that workers are connected as. */
function lackedGrants(sql: Sql, grants: FactsOptions['workerGrants']): Fragment {
  const wanted = JSON.stringify(
    Object.entries(grants).flatMap(([name, privileges]) =>
      privileges.map((privilege) => ({ name, privilege })),
    ),
  );
  return sql`
    select jsonb_build_object('role', role, 'grants', string_agg(privilege || ' on warren.' || wanted.name, ', ' order by wanted.name, privilege)) as found
    from (
      select distinct usename as role from pg_stat_activity
      where datname = current_database() and application_name like 'warren-worker@%' and usename is not null
    ) as roles
    cross join jsonb_to_recordset(${wanted}::text::jsonb) as wanted (name text, privilege text)
    join pg_class class on class.relname = wanted.name and class.relnamespace = to_regnamespace('warren')
    where not case when class.relkind = 'S' then has_sequence_privilege(role, class.oid, privilege)
      else has_table_privilege(role, class.oid, privilege) end
    group by role`;
}
