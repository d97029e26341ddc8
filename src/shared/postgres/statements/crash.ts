/**
 * What the death of its owner does to a running job: the one place where a crash is charged. Pure: it builds SQL, it runs nothing.
 */
import type { transitions } from '../../job/transitions.ts';
import { transition } from '../../job/transitions.ts';
import type { Sql } from '../database.ts';
import type { Fragment } from './parts.ts';
import { QUARANTINED_FROM, withError } from './parts.ts';
import { stateAfter } from './states.ts';

/** The state of a job after its owner has died. */
export type AfterCrash<Name extends CrashAct> =
  | (typeof transitions)[Name]['to']
  | (typeof transitions)['hold']['to']
  | (typeof transitions)['stop']['to'];

type CrashAct = 'takeOver' | 'rescue';

/**
 * All that the death of its owner changes in a job, for a set list: the crash is noted as an error and counted, the lost attempt counts if its handler
 * had started; the job goes on, by `act`, unless it was to be cancelled.
 */
export function changeAfterCrash(sql: Sql, act: CrashAct): Fragment {
  const { attempt = 0, raisesFence } = transition(act);
  return sql`state = case when cancel_requested_at is null then ${stateAfter(sql, act)} else ${stateAfter(sql, 'stop')} end,
      finished_at = case when cancel_requested_at is not null then now() end,
      attempt = attempt - 1 + ${attemptCharge(sql)} ${attempt > 0 ? sql`+ case when cancel_requested_at is null then 1 else 0 end` : sql``},
      max_attempts = max_attempts + ${attemptCharge(sql)}, crashes = crashes + ${crashCharge(sql)}, errors = ${withCrash(sql)}
      ${raisesFence ? sql`, fence = fence + 1` : sql``}`;
}

/** 1 for a job that was held by the process that died, 0 for one in quarantine: whatever took that process down, it was not this job. */
function crashCharge(sql: Sql): Fragment {
  return sql`case when crashes < ${QUARANTINED_FROM} then 1 else 0 end`;
}

/**
 * 1 where the dead owner had told that the handler was started (and it was not in quarantine): that attempt counts. The attempts that are left do
 * not become fewer, a crash is not the job's failure: what is added to `attempt` is added to `max_attempts`.
 */
function attemptCharge(sql: Sql): Fragment {
  return sql`case when crashes < ${QUARANTINED_FROM} and exists (select from warren.workers worker
    where worker.owner = job.owner and worker.started_batch >= job.claim_batch) then 1 else 0 end`;
}

function withCrash(sql: Sql): Fragment {
  return sql`case when crashes < ${QUARANTINED_FROM}
    then ${withError(sql, sql`'worker_crashed: the worker died while it held this job'`)} else errors end`;
}
