/**
 * Limits: what the applications define, what was changed at run time, and how much of each is in use. One function per statement.
 */
import type { App } from '../../job/app.ts';
import type { Limit } from '../../job/limit.ts';
import { burstOf } from '../../job/limit.ts';
import type { Sql } from '../database.ts';
import type { Statement } from './insert.ts';
import { texts } from './parts.ts';

/** A limit that is in force. */
export interface LimitInForce {
  name: string;
  concurrency: number | null;
  rateCount: number | null;
  ratePerMs: number | null;
  burst: number | null;
  /** Where it comes from; what was made at run time wins. */
  origin: 'definition' | 'run time';
  /** Jobs that have a place now, all keys together. */
  inUse: number;
  /** Jobs that wait for one, all keys together. */
  waiting: number;
}

/**
 * Tells of the application's limits. What was told before and is not told now stays: a program of the next version may have told of it, and jobs may wait
 * there. Telling again changes nothing.
 */
export async function tellLimits(sql: Sql, { limits }: Pick<App, 'limits'>): Promise<void> {
  if (limits.size === 0) return;
  await writeLimits(sql, [...limits], 'definition');
}

/** Tells what holds for the ordering keys and the groups of the application's queues. Telling again changes nothing. */
export async function tellQueueGates(sql: Sql, { queueGates }: Pick<App, 'queueGates'>): Promise<void> {
  const rows = [...queueGates].map(([name, { onDiscard = 'continue', groups = {} }]) => ({
    name,
    onDiscard,
    maxRunning: groups.maxRunning,
    weights: groups.weights ?? {},
  }));
  await sql`
    insert into warren.queues as known (name, on_discard, group_max_running, group_weights)
    select name, "onDiscard", "maxRunning", weights
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as given(name text, "onDiscard" text, "maxRunning" int, weights jsonb)
    order by name -- one order for all: programs start together
    on conflict (name) do update
    set on_discard = excluded.on_discard, group_max_running = excluded.group_max_running, group_weights = excluded.group_weights
    where (known.on_discard, known.group_max_running, known.group_weights)
      is distinct from (excluded.on_discard, excluded.group_max_running, excluded.group_weights)`;
}

/** Makes the limit what it is from now on, whatever applications tell. */
export async function putLimit(sql: Sql, name: string, limit: Limit): Promise<void> {
  await writeLimits(sql, [[name, limit]], 'run time');
}

async function writeLimits(
  sql: Sql,
  limits: readonly (readonly [string, Limit])[],
  origin: LimitInForce['origin'],
): Promise<void> {
  const rows = limits.map(([name, { concurrency, rate }]) => ({
    name,
    concurrency,
    count: rate?.count,
    perMs: rate?.perMs,
    burst: rate && burstOf(rate),
  }));
  await sql`
    insert into warren.limits as known (name, origin, concurrency, rate_count, rate_per_ms, burst)
    select name, ${origin}, concurrency, count, "perMs", burst
    from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as given(name text, concurrency int, count int, "perMs" int, burst int)
    order by name -- one order for all: programs start together
    on conflict (name, origin) do update
    set concurrency = excluded.concurrency, rate_count = excluded.rate_count, rate_per_ms = excluded.rate_per_ms, burst = excluded.burst,
      changed_at = now()
    where (known.concurrency, known.rate_count, known.rate_per_ms, known.burst)
      is distinct from (excluded.concurrency, excluded.rate_count, excluded.rate_per_ms, excluded.burst)`;
}

/** Forgets what was made of the limit at run time: the definition holds again, where there is one. Returns whether there was anything to forget. */
export async function deleteLimit(sql: Sql, name: string): Promise<boolean> {
  const { count } = await sql`delete from warren.limits where name = ${name} and origin = 'run time'`;
  return count > 0;
}

/** Finds those of the names that are no limit's, through any client. */
export function unknownLimitsStatement(names: readonly string[]): Statement {
  return {
    text: `
      select name from unnest($1::text::text[]) as given(name)
      where not exists (select from warren.limits known where known.name = given.name)`,
    values: [texts(names)],
  };
}

/** Those of the names that are no limit's. */
export async function findUnknownLimits(sql: Sql, names: readonly string[]): Promise<string[]> {
  const { text, values } = unknownLimitsStatement(names);
  const rows = await sql.unsafe<{ name: string }[]>(text, values);
  return rows.map(({ name }) => name);
}

/** The limits in force, by name; all of them, or one. Indexes: the primary key of passes, jobs_held. */
export async function findLimits(sql: Sql, name?: string): Promise<LimitInForce[]> {
  const isOfLimit = (column: string) =>
    sql`(${sql.unsafe(column)} collate "C" = 'limit:' || found.name
      or ${sql.unsafe(column)} collate "C" > 'limit:' || found.name || ':' and ${sql.unsafe(column)} collate "C" < 'limit:' || found.name || ';')`;
  return await sql<LimitInForce[]>`
    select found.*,
      (
        select count(*)::int from warren.passes pass join warren.jobs job on job.id = pass.job_id
        where ${isOfLimit('pass.gate')} and (job.state = 'available' or job.state = 'running' and found.concurrency is not null)
      ) as "inUse",
      (select count(*)::int from warren.jobs job where job.state = 'held' and ${isOfLimit('job.held_for')}) as waiting
    from (
      select distinct on (name) name, concurrency, rate_count as "rateCount", rate_per_ms as "ratePerMs", burst, origin
      from warren.limits ${name === undefined ? sql`` : sql`where name = ${name}`} order by name, origin desc
    ) as found
    order by found.name`;
}
