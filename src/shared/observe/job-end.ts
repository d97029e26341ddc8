/**
 * Tells that a job has come to its end, once, by whoever has committed it.
 */
import type { ErrorOrigin } from '../base/error-origin.ts';
import type { Trace } from '../job/trace.ts';
import type { JobState } from '../job/transitions.ts';
import { isEnd } from '../job/transitions.ts';
import type { Events } from './events.ts';

export interface JobEnd {
  /** What the job was brought to. */
  state: JobState;
  /** Why it is discarded. */
  error?: string | undefined;
  errorOrigin?: ErrorOrigin | undefined;
}

/** Tells of it where the state is one of the last. */
export function publishJobEnd(
  events: Events,
  { id, type, queue, trace }: { id: string; type: string; queue: string; trace?: Trace | null },
  { state, error, errorOrigin: origin }: JobEnd,
): void {
  if (isEnd(state)) events.publish('job.ended', { ...trace, jobId: id, type, queue, state, error, origin });
}
