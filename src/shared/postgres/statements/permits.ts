/**
 * Claims jobs by permits: a message entitles to start as many jobs of its queue as it has ids, its own or better ones. Better are the urgent (of a
 * priority above 0) and the owed (passed over, because their permit was spent on a more urgent one); by priority, then by id.
 *
 * Guarantees: a job that is passed over is owed; a permit whose own job was started by another permit starts an owed one. So each permit starts one
 * job as long as there is one to start, and none is needed twice. Must not know RabbitMQ.
 */
import type { Sql } from '../database.ts';
import type { Claim, TypedClaimant } from './claim.ts';
import type { PermitScope } from './others-first.ts';
import { isOwed, isUrgent, mayRun } from './others-first.ts';
import type { Fragment } from './parts.ts';
import { areClaimsOpen, bigints, claimColumns, hasType, mayClaimAtOnce, mayStart } from './parts.ts';
import { change, mayById } from './states.ts';

/** The id of a delivery. `isHeld`: its job runs in this worker, which knows of it. */
export interface Permit {
  id: string;
  isHeld: boolean;
}

/** Whose claim it is, and of which queue its permits are. */
export interface PermitClaimant extends PermitScope, TypedClaimant {
  /** Jobs that run in this worker: left alone, whatever their rows say. */
  except: readonly string[];
}

/**
 * Claims the best of the permits' own jobs, the urgent and the owed ones: as many as there are permits whose own job is available or does not need
 * them. It needs them where it runs without being known here (this worker's claim of it may be unheard), or is of an unknown type; one that was
 * moved to another queue, or deleted, needs none. Those of the own
 * jobs that are passed over are noted as owed; their mark is dated anew, for the permit that they get now comes later.
 *
 * A job that is locked is being claimed by somebody else: own ones are waited for (no lock is held before, and in the order of ids), others skipped.
 * Does not wait for the disk; none while claims are not open. By primary key, and by jobs_urgent and jobs_owed.
 */
export async function claimByPermits(
  sql: Sql,
  permits: readonly Permit[],
  claimant: PermitClaimant,
): Promise<Claim[]> {
  const { owner, claimNumber, queue, types, except } = claimant;
  const ids = bigints(permits.map(({ id }) => id));
  const canRun = sql`${mayRun(sql, claimant)} and id <> all(${bigints(except)}::text::bigint[])`;
  const best = (which: Fragment) => sql`
    select id, priority from warren.jobs job where ${which} and ${canRun}
    order by priority desc, id limit (select permits from budget) for update skip locked`;
  return await sql<Claim[]>`
    with permit as (
      select * from jsonb_to_recordset(${JSON.stringify(permits)}::text::jsonb) as p(id bigint, "isHeld" boolean)
      where ${queue} <> all (array(select name from warren.queues where paused))
    ),
    own as materialized (
      select id, priority from warren.jobs job
      where id = any(${ids}::text::bigint[]) and exists (select from permit) and ${mayById(sql, 'claim')} and ${canRun}
      order by id for update
    ),
    free as (
      select from permit, lateral (
        select count(*) as needed from warren.jobs job -- one look-up each: a join may be planned as a walk of the whole table
        where job.id = permit.id and job.queue = ${queue} and ((${mayById(sql, 'claim')} and ${mayStart(sql)})
          or (${mayById(sql, 'complete')} and not (${hasType(sql, types)} and (owner <> ${owner}::text::bigint or "isHeld"))))
      ) as own_job
      where needed = 0
    ),
    budget as materialized (
      select (select count(*) from own) + (select count(*) from free) as permits
    ),
    urgent as (${best(isUrgent(sql))}),
    owed as (${best(isOwed(sql))}),
    ranked as materialized (
      select id, row_number() over (order by priority desc, id) <= (select permits from budget) as starts
      from (select * from own union select * from urgent union select * from owed) as candidate
    ),
    passed_over as (
      update warren.jobs set owed_fence = fence, published_at = now()
      where id = any(array(select ranked.id from ranked join own using (id) where not starts)) and ${areClaimsOpen(sql)}
    )
    update warren.jobs job
    set ${change(sql, 'claim')}, owner = ${owner}::text::bigint,
      claim_batch = ${claimNumber}, started_at = now()
    where id = any(array(select id from ranked where starts)) and ${mayClaimAtOnce(sql)}
    returning ${claimColumns(sql)}`;
}
