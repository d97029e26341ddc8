/**
 * What a handler is given to tell of itself while it runs: its log and its progress. What it says becomes an event of its instance, with the attempt
 * that it belongs to; job-notes.ts keeps it.
 *
 * Guarantees: an error is told as text, so that its line is the same wherever the handler runs; what the arguments hide is not said.
 */
import { errorOrigin } from '#shared/base/error-origin.ts';
import { errorMessage } from '#shared/base/errors.ts';
import type { JobDefinition, JobLog } from '#shared/job/job.ts';
import type { JobLogLevel } from '#shared/job/job-note.ts';
import { MAX_PROGRESS_TEXT } from '#shared/job/job-note.ts';
import { createRedactor } from '#shared/job/redaction.ts';
import type { EventMessages, Events } from '#shared/observe/events.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';

export function createJobLog(
  events: Events,
  { id: jobId, type, attempt, trace, args }: Claim,
  definition: Pick<JobDefinition, 'redact' | 'encrypted'>,
): JobLog {
  const redact = createRedactor(args, definition);
  const write = (level: JobLogLevel) => (message: string, details?: object) =>
    events.publish('handler.logged', {
      ...trace,
      jobId,
      type,
      attempt,
      level,
      ...redact({ message, ...describe(details) }),
    });
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
}

export function publishProgress(
  events: Events,
  { id: jobId, type, attempt, args }: Claim,
  {
    share,
    text,
    definition,
  }: { share: number; text?: string | undefined; definition: Pick<JobDefinition, 'redact' | 'encrypted'> },
): void {
  if (!Number.isFinite(share)) throw new RangeError('progress wants a share from 0 to 1');
  const said = text === undefined ? null : createRedactor(args, definition)(String(text));
  events.publish('handler.progressed', {
    jobId,
    type,
    attempt,
    share: Math.min(Math.max(share, 0), 1),
    text: said?.slice(0, MAX_PROGRESS_TEXT) ?? null,
  });
}

function describe(
  details: object | undefined,
): Pick<EventMessages['handler.logged'], 'details' | 'error' | 'origin'> {
  if (details instanceof Error) return { error: errorMessage(details), origin: errorOrigin(details) };
  return details === undefined ? {} : { details };
}
