/**
 * Claims jobs that no message has brought: for a fleet whose broker is away. Must not know RabbitMQ.
 */
import type { Sql } from '../database.ts';
import type { Claim, TypedClaimant } from './claim.ts';
import {
  argsBytes,
  bigints,
  claimColumns,
  hasRunningType,
  hasType,
  mayClaimAtOnce,
  mayStart,
} from './parts.ts';
import { change, may } from './states.ts';

/** How many jobs of a queue could start now. */
export interface FreeSlots {
  queue: string;
  slots: number;
}

/** What arguments may be claimed: so many bytes of small ones, and so many of large ones. */
export interface ArgsBudget {
  smallBytes: number;
  largeBytes: number;
  /** Arguments above this are large, in bytes. */
  largeAbove: number;
  /** What arguments count for at most. */
  mostBytes: number;
}

/**
 * Claims the most urgent and then the oldest available jobs of these queues that are of a type it knows and whose arguments are within the budget, without a message. Skips
 * what is paused by its queue or its type, what others are claiming, and `except`. Large arguments go in the order of their jobs: the first that does not fit is waited for. Small
 * ones pass them: where a large one is among the oldest jobs of a queue, its oldest small ones are looked for too, past any number of large ones.
 * None while claims are not open; does not wait for the disk. Leaves `published_at` as it is: a job handed back is then published as if it had never
 * been claimed. Indexes: jobs_urgent once for each queue, jobs_available once, twice where there are large ones.
 */
export async function claimNextJobs(
  sql: Sql,
  {
    wanted,
    except,
    budget,
    owner,
    claimNumber,
    types,
  }: TypedClaimant & { wanted: readonly FreeSlots[]; except: readonly string[]; budget: ArgsBudget },
): Promise<Claim[]> {
  const columns = sql`wanted.queue, wanted.slots, job.id, job.priority, job.run_at, ${argsBytes(sql)} as bytes`;
  const mayRun = sql`${may(sql, 'claim')} and queue = wanted.queue and ${hasType(sql, types)} and ${hasRunningType(sql)} and ${mayStart(sql)} and id <> all(${bigints(except)}::text::bigint[])`;
  return await sql<Claim[]>`
    with wanted as (
      select * from jsonb_to_recordset(${JSON.stringify(wanted)}::text::jsonb) as w(queue text, slots int)
      where queue not in (select name from warren.queues where paused)
    ),
    urgent as (
      select next.* from wanted, lateral (
        select ${columns} from warren.jobs job where ${mayRun} and priority > 0
        order by priority desc, id limit wanted.slots for update skip locked
      ) as next
    ),
    oldest as (
      select next.* from wanted, lateral (
        select ${columns} from warren.jobs job where ${mayRun}
        order by run_at, id limit wanted.slots for update skip locked
      ) as next
    ),
    crowded as materialized (
      select * from wanted where queue in (select queue from oldest where bytes > ${budget.largeAbove})
    ),
    small as (
      select next.* from crowded as wanted, lateral (
        select ${columns} from warren.jobs job where ${mayRun} and ${argsBytes(sql)} <= ${budget.largeAbove}
        order by run_at, id limit wanted.slots for update skip locked
      ) as next
    ),
    counted as (
      select *, bytes > ${budget.largeAbove} as is_large, sum(least(bytes, ${budget.mostBytes}))
        over (partition by bytes > ${budget.largeAbove} order by priority desc, run_at, id rows unbounded preceding) as total
      from (select * from urgent union select * from oldest union select * from small) as next
    ),
    fitting as (
      select id, slots, row_number() over (partition by queue order by priority desc, run_at, id) as place from counted
      where total <= case when is_large then ${budget.largeBytes}::int else ${budget.smallBytes}::int end
    )
    update warren.jobs job
    set ${change(sql, 'claim')}, owner = ${owner}::text::bigint,
      claim_batch = ${claimNumber}, started_at = now()
    from fitting
    where job.id = fitting.id and place <= slots and ${mayClaimAtOnce(sql)}
    returning ${claimColumns(sql)}`;
}
