/**
 * The log that a handler is given: what it says becomes an event of its instance, with the attempt that it belongs to.
 */
import type { JobLog, JobLogLevel } from '#shared/job/job.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';

export function createJobLog(events: Events, { id: jobId, type, attempt, trace }: Claim): JobLog {
  const write = (level: JobLogLevel) => (message: string, details?: object) =>
    events.publish('handler.logged', { ...trace, jobId, type, attempt, level, message, details });
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}
