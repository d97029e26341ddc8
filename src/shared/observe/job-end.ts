/**
 * Tells that a job has come to its end, once, by whoever has committed it.
 */
import type { ErrorOrigin } from '../base/error-origin.ts';
import type { Trace } from '../job/trace.ts';
import type { JobState } from '../job/transitions.ts';
import { isEnd } from '../job/transitions.ts';
import { publishEvent } from './events.ts';

/** Tells of it where the state that the job was brought to is one of the last. `error`: why it is discarded. */
export function publishJobEnd(
  { id, type, queue, trace }: { id: string; type: string; queue: string; trace?: Trace | null },
  state: JobState,
  { error, errorOrigin: origin }: { error?: string; errorOrigin?: ErrorOrigin | undefined } = {},
): void {
  if (isEnd(state)) publishEvent('job.ended', { ...trace, jobId: id, type, queue, state, error, origin });
}
