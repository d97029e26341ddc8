/**
 * What happens to watched jobs, as it is told from process to process: who watches, and what was recorded for them (by the triggers on `warren.jobs`, and
 * where notes are written).
 *
 * Readers go by snapshots, not by ids: an id is given before its transaction commits, so that a later one may be seen first. Between two snapshots
 * everything is read that is visible in the second and was not in the first; so nothing is missed or read twice, and no long transaction holds up the rest.
 */
import type { JobEvent } from '../../job/job-event.ts';
import type { Sql } from '../database.ts';

/** Longer than any statement of a program takes, in milliseconds. */
const NEW_MS = 6_000;

/** What is asked for, and the name of that. */
export interface Interest {
  key: string;
  jobs: readonly string[] | null;
  queues: readonly string[] | null;
  types: readonly string[] | null;
  kinds: readonly string[] | null;
}

export interface KeptInterest {
  key: string;
  /** Of what happened before, some may be missing: microseconds since 1970, by the database's clock. */
  completeSince: string;
  /** Nobody asked for it until some seconds ago: there may be transactions that do not know of it. */
  isNew: boolean;
}

/** Asks for these events for `keptMs` from now on. What was asked for until then goes on without a gap. */
export async function keepInterests(
  sql: Sql,
  interests: readonly Interest[],
  keptMs: number,
): Promise<KeptInterest[]> {
  return await sql<KeptInterest[]>`
    insert into warren.event_watches as watch (filter, jobs, queues, types, kinds, until, complete_since)
    select key, jobs, queues, types, kinds, now() + ${keptMs} * interval '1 ms', now()
    from jsonb_to_recordset(${JSON.stringify(interests)}::text::jsonb)
      as given(key text, jobs bigint[], queues text[], types text[], kinds text[])
    order by key
    on conflict (filter) do update
    set until = excluded.until, complete_since = case when watch.until < now() then now() else watch.complete_since end
    returning filter as key, (extract(epoch from complete_since) * 1000000)::bigint::text as "completeSince",
      complete_since > now() - ${NEW_MS} * interval '1 ms' as "isNew"`;
}

/** Forgets what nobody asks for any more: nothing is recorded for it. */
export async function forgetInterests(sql: Sql): Promise<void> {
  await sql`delete from warren.event_watches where until < now()`;
}

/**
 * Transactions that have looked for watches already, and may not have seen the latest: of the given ones, where they are given. What they commit may be
 * missing.
 */
export async function findUnaware(sql: Sql, among?: readonly string[]): Promise<string[]> {
  const rows = await sql<{ transaction: string }[]>`
    select distinct virtualtransaction as transaction from pg_locks
    where locktype = 'relation' and relation = 'warren.event_watches'::regclass and granted and pid <> pg_backend_pid()
      and database = (select oid from pg_database where datname = current_database())
      ${among === undefined ? sql`` : sql`and virtualtransaction in (select jsonb_array_elements_text(${JSON.stringify(among)}::text::jsonb))`}`;
  return rows.map(({ transaction }) => transaction);
}

export interface EventsRequest {
  /** Everything is read that was not visible in this snapshot. Undefined: nothing, save the present snapshot. */
  from?: { snapshot: string; next: string; underWay: readonly string[] } | undefined;
  /** And is visible in this one. Defaults to the present one. */
  to?: string | undefined;
  /** Only larger ids. */
  after: string;
  limit: number;
}

export type StoredEvent = JobEvent & { id: string };

export interface EventsPage {
  /** Up to which the events were read. */
  snapshot: string;
  /** Now: microseconds since 1970, by the database's clock. */
  at: string;
  /** In the order of their ids. */
  events: StoredEvent[];
}

/** Indexes: events_xid, whatever long transactions are under way. */
export async function readEvents(sql: Sql, { from, to, after, limit }: EventsRequest): Promise<EventsPage> {
  const [page] = await sql<EventsPage[]>`
    with bounds as materialized (
      select coalesce(${to ?? null}::text::pg_snapshot, pg_current_snapshot()) as up_to
    ),
    fresh as (
      select event.* from warren.events event, bounds
      where ${
        from === undefined
          ? sql`false`
          : sql`(xid >= ${from.next}::text::xid8 or xid = any(${`{${from.underWay.join(',')}}`}::text::xid8[]))`
      }
        and pg_visible_in_snapshot(xid, up_to) and id > ${after}::text::bigint
      order by id limit ${limit}
    )
    select up_to::text as snapshot, (extract(epoch from now()) * 1000000)::bigint::text as at,
      coalesce((
        select jsonb_agg(jsonb_build_object('id', id::text, 'kind', kind, 'at', at, 'jobId', job_id::text, 'type', type,
          'queue', queue) || detail order by id) from fresh
      ), '[]') as events
    from bounds`;
  return page as EventsPage;
}

/**
 * Deletes the oldest events: those that are older than `keptMs`, and all but the latest `keptCount`. Looks at `limit` of them, returns how many are gone.
 * By primary key.
 */
export async function pruneEvents(
  sql: Sql,
  { keptMs, keptCount, limit }: { keptMs: number; keptCount: number; limit: number },
): Promise<number> {
  const [row] = await sql<{ count: number }[]>`
    with oldest as (
      select id, at from warren.events order by id limit ${limit}
    ),
    gone as (
      delete from warren.events event using oldest
      where event.id = oldest.id and (oldest.at < now() - ${keptMs} * interval '1 ms'
        or oldest.id <= (select max(id) from warren.events) - ${keptCount})
      returning oldest.at
    ),
    watches as (
      select filter from warren.event_watches where exists (select from gone) order by filter for update
    ),
    noted as (
      update warren.event_watches watch set complete_since = greatest(complete_since, (select max(at) from gone))
      from watches where watch.filter = watches.filter
    )
    select count(*)::float8 as count from gone`;
  return row?.count ?? 0;
}
