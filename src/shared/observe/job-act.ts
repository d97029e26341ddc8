/**
 * Tells of what a person has done to a job, once, by whoever has committed it; and of its end, where that was the act.
 */
import type { JobState, PersonsAct } from '../job/transitions.ts';
import type { Events } from './events.ts';
import { publishJobEnd } from './job-end.ts';

/** The end of a job that ran is told of by its worker. */
export function publishAct(
  events: Events,
  act: PersonsAct,
  job: { id: string; type: string; queue: string; state: JobState },
): void {
  const { id: jobId, type, queue, state } = job;
  events.publish('job.acted', { jobId, type, queue, act, state });
  if (act === 'cancel') publishJobEnd(events, job, { state });
}
