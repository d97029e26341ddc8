/**
 * Which jobs of a queue go first, whichever message comes: the urgent and the owed ones (permits.ts). Pure: it builds SQL, it runs nothing.
 */
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';
import { argsBytes, hasRunningType, hasType, mayStart } from './parts.ts';
import { may } from './states.ts';

/** Which jobs can be had by a permit. */
export interface PermitScope {
  queue: string;
  types: string;
  maxArgsBytes: number;
}

/**
 * An urgent job, as the condition of the index jobs_urgent has it. Only once its own message is in the broker: the permit that it takes from another
 * job is replaced by its own, which must not be missing.
 */
export function isUrgent(sql: Sql): Fragment {
  return sql`${may(sql, 'claim')} and priority > 0 and published_at is not null`;
}

/** A job that was passed over, as the condition of the index jobs_owed has it; without a mark it is the relay's. */
export function isOwed(sql: Sql): Fragment {
  return sql`${may(sql, 'claim')} and owed_fence = fence and published_at is not null`;
}

/** As far as its state does not count. */
export function mayRun(sql: Sql, { queue, types, maxArgsBytes }: PermitScope): Fragment {
  return sql`queue = ${queue} and ${hasType(sql, types)} and ${hasRunningType(sql)} and ${mayStart(sql)} and ${argsBytes(sql)} <= ${maxArgsBytes}`;
}

/** How many of the first are looked at: a backlog that the claimant may not run (another application's, a paused type's) costs a claim no more. */
const LOOKED_AT = 100;

/**
 * Whether the queue has urgent or owed jobs for this claimant among the first, and is not paused. Looked up once for a statement, in the order of the
 * indexes, so that no other index serves. Indexes: jobs_urgent, jobs_owed.
 */
export function hasOthersFirst(sql: Sql, scope: PermitScope): Fragment {
  const first = (which: Fragment) => sql`
    exists (
      select from (
        select * from warren.jobs job where ${which} and queue = ${scope.queue} order by priority desc, id limit ${LOOKED_AT}
      ) as job
      where ${mayRun(sql, scope)}
    )`;
  return sql`((${first(isUrgent(sql))} or ${first(isOwed(sql))})
    and ${scope.queue} <> all (array(select name from warren.queues where paused)))`;
}
