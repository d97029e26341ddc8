/**
 * The log that a handler is given: what it says becomes an event of its instance, with the attempt that it belongs to.
 *
 * Guarantees: an error is told as text, so that its line is the same wherever the handler runs.
 */
import { errorOrigin } from '#shared/base/error-origin.ts';
import { errorMessage } from '#shared/base/errors.ts';
import type { JobLog, JobLogLevel } from '#shared/job/job.ts';
import type { EventMessages, Events } from '#shared/observe/events.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';

export function createJobLog(events: Events, { id: jobId, type, attempt, trace }: Claim): JobLog {
  const write = (level: JobLogLevel) => (message: string, details?: object) =>
    events.publish('handler.logged', {
      ...trace,
      jobId,
      type,
      attempt,
      level,
      message,
      ...describe(details),
    });
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

function describe(
  details: object | undefined,
): Pick<EventMessages['handler.logged'], 'details' | 'error' | 'origin'> {
  if (details instanceof Error) return { error: errorMessage(details), origin: errorOrigin(details) };
  return details === undefined ? {} : { details };
}
