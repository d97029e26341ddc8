/**
 * The record of who did what. One function per statement; lists are by primary key, newest first.
 */
import type { Sql } from '../database.ts';

export type Outcome = 'done' | 'refused' | 'failed';

/** An act that begins. */
export interface NewAuditEntry {
  who: string;
  role: string;
  address: string | null;
  act: string;
  target: string | null;
  detail: object;
}

export interface AuditEntry extends NewAuditEntry {
  id: string;
  at: Date;
  /** Null: it is under way, or its process died meanwhile. */
  outcome: Outcome | null;
}

export interface AuditFilter {
  who?: string | undefined;
  /** `jobs.cancel`, or all of a kind: `jobs`. */
  act?: string | undefined;
  /** Found among those that were chosen, too, where the act was done to several. */
  target?: string | undefined;
  /** RFC 3339. */
  after?: string | undefined;
  before?: string | undefined;
}

/** Returns the id of the entry. */
export async function beginAudit(sql: Sql, entry: NewAuditEntry): Promise<string> {
  const { who, role, address, act, target, detail } = entry;
  const [row] = await sql<{ id: string }[]>`
    insert into warren.audit (who, role, address, act, target, detail)
    values (${who}, ${role}, ${address}, ${act}, ${target}, ${JSON.stringify(detail)}::text::jsonb)
    returning id`;
  if (row === undefined) throw new Error('the act was not recorded');
  return row.id;
}

export async function endAudit(
  sql: Sql,
  id: string,
  { outcome, target, detail }: { outcome: Outcome; target?: string | undefined; detail: object },
): Promise<void> {
  await sql`
    update warren.audit set outcome = ${outcome}, target = coalesce(${target ?? null}, target),
      detail = detail || ${JSON.stringify(detail)}::text::jsonb
    where id = ${id}::text::bigint`;
}

/** `cursor`: only entries before that one. */
export async function listAudit(
  sql: Sql,
  {
    who,
    act,
    target,
    after,
    before,
    cursor,
    limit,
  }: AuditFilter & { cursor?: string | undefined; limit: number },
): Promise<AuditEntry[]> {
  return await sql<AuditEntry[]>`
    select id, at, who, role, address, act, target, detail, outcome from warren.audit
    where true ${cursor === undefined ? sql`` : sql`and id < ${cursor}::text::bigint`}
      ${who === undefined ? sql`` : sql`and who = ${who}`} ${act === undefined ? sql`` : sql`and ${act} in (act, split_part(act, '.', 1))`}
      ${target === undefined ? sql`` : sql`and (target = ${target} or detail -> 'changes' -> 'id' ? ${target})`}
      ${after === undefined ? sql`` : sql`and at >= ${after}::text::timestamptz`}
      ${before === undefined ? sql`` : sql`and at < ${before}::text::timestamptz`}
    order by id desc limit ${limit}`;
}

/** Forgets what is older. Returns how many, at most `limit`. Index: audit_at. */
export async function pruneAudit(
  sql: Sql,
  { keptMs, limit }: { keptMs: number; limit: number },
): Promise<number> {
  const { count } = await sql`
    delete from warren.audit where id = any(array(
      select id from warren.audit where at < now() - ${keptMs} * interval '1 ms' order by at limit ${limit}))`;
  return count;
}
