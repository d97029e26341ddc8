/**
 * The owner number of a worker: the second key of its session advisory lock, and what the rows of its running jobs name it by.
 *
 * Guarantees: the lock of a number that was taken is held by the given session; no running job and no worker's row named it before, whatever was
 * restored from a backup. Numbers are drawn at random, because every role that may connect can hold advisory locks: nobody can hold the next ones
 * beforehand. Must not know when a session is opened or given up.
 */
import { randomInt } from 'node:crypto';
import type postgres from 'postgres';
import { Unavailable } from '../base/errors.ts';
import { ADVISORY_CLASS } from './statements/parts.ts';

const MAX_OWNER = 2 ** 31 - 1;
const MAX_DRAWS = 10;
/** How long a worker waits for a lock that another session holds, in milliseconds. The server ends a session that has lost its client sooner. */
export const LOCK_WAIT_MS = 4_000;
const LOCK_NOT_AVAILABLE = '55P03';

/** Takes a number that nobody has. Throws `Unavailable` where ten in a row were taken already. */
export async function takeOwnerNumber(sql: postgres.Sql): Promise<string> {
  for (let draw = 1; draw <= MAX_DRAWS; draw += 1) {
    const owner = String(randomInt(1, MAX_OWNER));
    if (!(await tryLock(sql, owner))) continue;
    if (!(await isNamed(sql, owner))) return owner;
    await sql`select pg_advisory_unlock(${ADVISORY_CLASS}::int, ${owner}::text::int)`;
  }
  throw new Unavailable('owner_numbers_taken', `${MAX_DRAWS} owner numbers in a row were taken already`);
}

/**
 * Takes the worker's number again after its session was lost. Where the lock is held, that is mostly the lost session, whose end the
 * server has not noticed: it is ended. Where another role holds the lock, the worker takes a new number (`onTaken`), and its running jobs with it: under the old
 * one they would pass for a dead worker's sooner or later. A claim that is answered during that change keeps the old number; should others start its
 * job again, the fence accepts one outcome.
 */
export async function retakeOwnerNumber(
  sql: postgres.Sql,
  { owner, sessionName, onTaken }: { owner: string; sessionName: string; onTaken: (owner: string) => void },
): Promise<void> {
  if (await tryLock(sql, owner)) return;
  await endLostSession(sql, { owner, sessionName });
  if (await waitForLock(sql, owner)) return;
  const next = await takeOwnerNumber(sql);
  onTaken(next); // from here on rows may name it
  await moveJobs(sql, { from: owner, to: next });
}

async function tryLock(sql: postgres.Sql, owner: string): Promise<boolean> {
  const [row] = await sql<{ isHeld: boolean }[]>`
    select pg_try_advisory_lock(${ADVISORY_CLASS}::int, ${owner}::text::int) as "isHeld"`;
  return row?.isHeld === true;
}

/** While it waits in the line for the lock, nobody finds the lock free. */
async function waitForLock(sql: postgres.Sql, owner: string): Promise<boolean> {
  try {
    await sql`
      select pg_advisory_lock(${ADVISORY_CLASS}::int, ${owner}::text::int)
      from (select set_config('lock_timeout', ${String(LOCK_WAIT_MS)}, true)) as bounded`;
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === LOCK_NOT_AVAILABLE) return false;
    throw error;
  }
}

/** Whether a running job or a worker's row names it. Index: jobs_running. */
async function isNamed(sql: postgres.Sql, owner: string): Promise<boolean> {
  const [row] = await sql<{ isNamed: boolean }[]>`
    select exists (select from warren.jobs where state = 'running' and owner = ${owner}::text::bigint)
      or exists (select from warren.workers where owner = ${owner}::text::int) as "isNamed"`;
  return row?.isNamed !== false;
}

/** Ends the session that holds the lock, if it is one of this very process: its role, its name. */
async function endLostSession(
  sql: postgres.Sql,
  { owner, sessionName }: { owner: string; sessionName: string },
): Promise<void> {
  await sql`
    select pg_terminate_backend(session.pid)
    from pg_locks held join pg_stat_activity session on session.pid = held.pid
    where held.locktype = 'advisory' and held.granted and held.objsubid = 2
      and held.classid = ${ADVISORY_CLASS}::int::oid and held.objid = ${owner}::text::int::oid
      and session.datname = current_database() and session.usename = current_user
      and session.application_name = ${sessionName}`;
}

/** The worker's row of before stays for whatever names it still: without beats, it counts as dead after a minute. Index: jobs_running. */
async function moveJobs(sql: postgres.Sql, { from, to }: { from: string; to: string }): Promise<void> {
  await sql`
    with moved as (
      update warren.jobs set owner = ${to}::text::bigint where state = 'running' and owner = ${from}::text::bigint
    )
    insert into warren.workers (owner, name, started_at, started_batch, delivered)
    select ${to}::text::int, name, started_at, started_batch, delivered from warren.workers where owner = ${from}::text::int`;
}
