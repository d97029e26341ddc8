/**
 * The look for the live job that holds a unique key, as text and values for whatever client a caller has in its transaction. The answer is one text,
 * because clients differ in what they make of times and big numbers.
 */
import type { Job } from '../../job/job.ts';
import type { Statement } from './insert.ts';
import { IS_LIVE } from './states.ts';

export interface HolderRow {
  /** JSON of a job. */
  job: string;
}

/** Answers with at most one `HolderRow`. Index: jobs_unique. */
export function uniqueHolderStatement(type: string, uniqueKey: string): Statement {
  return { text: HOLDER, values: [type, uniqueKey] };
}

export function toHolder({ job }: HolderRow): Job {
  const found = JSON.parse(job) as Record<keyof Job, unknown>;
  const time = (text: unknown) => new Date(text as string);
  return {
    ...(found as unknown as Job),
    runAt: time(found.runAt),
    createdAt: time(found.createdAt),
    startedAt: found.startedAt === null ? null : time(found.startedAt),
    finishedAt: null,
  };
}

const HOLDER = `
  select jsonb_build_object('id', id::text, 'type', type, 'queue', queue, 'state', state, 'args', args,
    'attempt', attempt, 'maxAttempts', max_attempts, 'runAt', run_at, 'createdAt', created_at,
    'startedAt', started_at, 'finishedAt', null, 'uniqueKey', unique_key, 'output', output, 'errors', errors
  )::text as "job"
  from warren.jobs
  where type = $1::text and unique_key = $2::text
    and ${IS_LIVE}`;
