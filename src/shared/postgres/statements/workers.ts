/**
 * What a worker tells of itself: that it is alive, what it runs, which of its claims have started, what has been
 * delivered to it, and whether it leads the maintenance. All times come from the database's clock.
 */
import type { Sql } from '../database.ts';
import { notify } from '../notices.ts';
import type { Claimant } from './claim.ts';
import { ADVISORY_CLASS, areClaimsOpen, mayServeAll, servedTypes, texts } from './parts.ts';

export interface Beat {
  owner: string;
  /** The name of its connections. */
  name: string;
  /** How long it leads from now on, if it does, in milliseconds. */
  termMs: number;
  /** By queue, the latest due time among the jobs that were delivered to it, in epoch seconds of the database's clock. */
  delivered: Readonly<Record<string, number>>;
  /** It runs jobs of these types, in these queues. */
  serves: Serves;
  vitals: Vitals;
  /** It has just come (again): the relay is told, for jobs that only it runs may wait. */
  hasCome: boolean;
  /** Its session has lasted so long that all workers have returned which were there when Postgres crashed, if it has: claims are open from now on. */
  opensClaims: boolean;
}

export interface Answer {
  /** Whether it leads. */
  leads: boolean;
  /** A digest of what is set for all queues: where it is another than before, the queues are to be read. */
  queues: string | null;
  /** It was asked to take no more jobs and end. */
  isToDrain: boolean;
}

/** How it is, for people. */
export interface Vitals {
  version: string;
  /** How many jobs it runs now, by queue. */
  running: Readonly<Record<string, number>>;
  lane: 'rabbitmq' | 'postgres';
  loopDelayMs: number;
  memoryBytes: number;
  isDraining: boolean;
}

export interface Serves {
  /** The name of its application. */
  app: string;
  queues: readonly string[];
  /** How many jobs it runs at once, by queue. */
  slots: Readonly<Record<string, number>>;
  types: readonly string[];
  /** The schedules that its code defines. */
  schedules: readonly string[];
}

/** Writes the worker's life sign, and makes or keeps it the leader where there is none: its term is over, or it is dead. */
export async function beat(
  sql: Sql,
  { owner, name, termMs, delivered, serves, vitals, hasCome, opensClaims }: Beat,
): Promise<Answer> {
  const [row] = await sql<Answer[]>`
    with alive as (
      insert into warren.workers (owner, name, app, delivered, queues, types, slots, schedules,
        version, running, lane, loop_delay_ms, memory_bytes, draining)
      values (${owner}::text::int, ${name}, ${serves.app}, ${JSON.stringify(delivered)}::text::jsonb,
        ${texts(serves.queues)}::text::text[], ${texts(serves.types)}::text::text[],
        ${JSON.stringify(serves.slots)}::text::jsonb, ${texts(serves.schedules)}::text::text[],
        ${vitals.version}, ${JSON.stringify(vitals.running)}::text::jsonb, ${vitals.lane}, ${vitals.loopDelayMs}::float8,
        ${vitals.memoryBytes}::float8::bigint, ${vitals.isDraining}::boolean)
      on conflict (owner) do update
      set beat_at = now(), app = excluded.app, delivered = excluded.delivered, queues = excluded.queues, types = excluded.types,
        slots = excluded.slots, schedules = excluded.schedules, version = excluded.version, running = excluded.running,
        lane = excluded.lane, loop_delay_ms = excluded.loop_delay_ms, memory_bytes = excluded.memory_bytes, draining = excluded.draining
      returning drain_requested_at
    ),
    term as (
      update warren.leadership set owner = ${owner}::text::int, until = now() + ${termMs} * interval '1 ms'
      where owner = ${owner}::text::int or until < now()
        or pg_try_advisory_xact_lock_shared(${ADVISORY_CLASS}::int, owner)
      returning owner
    ),
    opened as (
      insert into warren.claims_open (one) select true where ${opensClaims}::boolean and not ${areClaimsOpen(sql)}
      on conflict do nothing
    )
    select exists (select from term) as leads, (select drain_requested_at is not null from alive) as "isToDrain",
      (select md5(string_agg(queue::text, ' ' order by name)) from warren.queues queue) as queues ${hasCome ? sql`, (select ${notify(sql, { kind: 'due' })}) as told` : sql``}`;
  return row ?? { leads: false, queues: null, isToDrain: false };
}

/**
 * Notes that the handlers of the worker's claims up to this number have been started: only those are charged an attempt should the worker die. One
 * simple query, so that nothing is left to say once it is sent: the worker may die the next moment.
 */
export async function markStarted(sql: Sql, { owner, claimNumber }: Claimant): Promise<void> {
  await sql.unsafe(`
    update warren.workers set started_batch = ${claimNumber}
    where owner = ${owner} and started_batch < ${claimNumber}`);
}

/** What living workers run. */
export interface Served {
  /** What they have told, each pair once. */
  told: { queue: string; type: string }[];
  /** One of them has not told (it is of an earlier version) and may run everything. */
  mayServeAll: boolean;
}

export async function findServedTypes(sql: Sql): Promise<Served> {
  const [row] = await sql<Served[]>`
    select coalesce((
      select jsonb_agg(jsonb_build_object('queue', queue, 'type', type)) from ${servedTypes(sql)} as served
    ), '[]') as told, ${mayServeAll(sql)} as "mayServeAll"`;
  return row ?? { told: [], mayServeAll: false };
}

/** Takes the worker off the list; another may lead at once. */
export async function leave(sql: Sql, owner: string): Promise<void> {
  await sql`
    with gone as (
      delete from warren.workers where owner = ${owner}::text::int
    ),
    resigned as (
      update warren.leadership set until = '-infinity' where owner = ${owner}::text::int returning owner
    )
    select ${notify(sql, { kind: 'leader' })} from resigned`;
}

/** Forgets workers that have not been heard of for a day. */
export async function pruneWorkers(sql: Sql): Promise<void> {
  await sql`delete from warren.workers where beat_at < now() - interval '1 day'`;
}
