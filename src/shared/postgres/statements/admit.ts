/**
 * The gates of held jobs: who of them may go on (`warren.admit`, in the migrations).
 *
 * Guarantees: only this makes a held job available; it runs once at a time in the whole database and counts what is committed, so that no place is given
 * twice; places follow from rows, so that none is lost. Waits for the disk: an admission that a crash could undo would leave a handler without its place.
 * Must not know RabbitMQ.
 */
import type { Publishable } from '../../job/publishable.ts';
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';
import { texts } from './parts.ts';

/** A gate at which jobs wait for a time. 0: there is more to do at once. */
export interface GateWait {
  gate: string;
  ms: number;
}

export interface Admitted {
  /** Available now, for the caller to publish; the relay's in two seconds. */
  jobs: Publishable[];
  waits: GateWait[];
}

interface AdmitRow extends Publishable {
  gate: string | null;
  ms: number;
}

/** Lets the held jobs of these gates through, as far as there are places. Index: jobs_held. */
export async function admitJobs(sql: Sql, gates: readonly string[]): Promise<Admitted> {
  const rows = await sql<AdmitRow[]>`
    select id, type, queue, fence, gate, next_ms as ms from warren.admit(${texts(gates)}::text::text[])`;
  return {
    jobs: rows
      .filter(({ gate }) => gate === null)
      .map(({ id, type, queue, fence }) => ({ id, type, queue, fence })),
    waits: rows.flatMap(({ gate, ms }) => (gate === null ? [] : [{ gate, ms }])),
  };
}

/** Within a transaction: no job is admitted until it ends, and what is admitted afterwards sees what it has done. */
export async function holdAdmission(sql: Sql): Promise<void> {
  await sql`select pg_advisory_xact_lock(2002874994, -2)`;
}

/**
 * Gates at which jobs wait, and batches that have not ended, in their order, from the one that follows `after`; of the groups of a queue only the first, because to look at one is to go round
 * them all. Indexes: jobs_held, once for each gate; batches_live.
 */
export async function findWaitedGates(sql: Sql, after: string, limit: number): Promise<string[]> {
  const past = (gate: Fragment) =>
    sql`case when ${gate} like 'group:%' then 'group:' || split_part(${gate}, ':', 2) || ';' else ${gate} end`;
  const rows = await sql<{ gate: string }[]>`
    with recursive waited as (
      (
        select held_for from warren.jobs where state = 'held' and held_for collate "C" > ${past(sql`${after}::text`)}
        order by held_for collate "C" limit 1
      )
      union all
      select (
        select job.held_for from warren.jobs job where job.state = 'held' and job.held_for collate "C" > ${past(sql`waited.held_for`)}
        order by job.held_for collate "C" limit 1
      )
      from waited where waited.held_for is not null
    )
    select gate from (
      (select held_for as gate from waited where held_for is not null limit ${limit})
      union all
      (
        select 'batch:' || id from warren.batches where finished_at is null and ('batch:' || id) collate "C" > ${after}::text
        order by ('batch:' || id) collate "C" limit ${limit}
      )
    ) as all_of_them
    order by gate collate "C" limit ${limit}`;
  return rows.map(({ gate }) => gate);
}
