/**
 * Turns whatever goes wrong into a status: what problem.ts is for HTTP, with the same meanings.
 *
 * What nobody foresaw becomes INTERNAL and says nothing of its cause; the cause is published as `request.failed`.
 */
import type { StatusObject } from '@grpc/grpc-js';
import { Metadata, status } from '@grpc/grpc-js';
import { Conflict, InvalidInput, NotFound, QueueFull, Unavailable } from '#shared/base/errors.ts';
import type { Trace } from '#shared/job/trace.ts';
import type { Events } from '#shared/observe/events.ts';
import { isMissingSchema, isRowError } from '#shared/postgres/failures.ts';
import type { StatusDetails } from './status-details.ts';
import { cut, encodeStatus } from './status-details.ts';

export type CallStatus = Pick<StatusObject, 'code' | 'details'> & Partial<StatusObject>;

export const DETAILS_KEY = 'grpc-status-details-bin';

const RETRY_AFTER_SECONDS = 1;
/** Of a sentence: it goes into a trailer. */
const MAX_MESSAGE_CHARACTERS = 500;

/** The caller has gone, or its deadline has passed; whatever is answered, nobody hears it. */
export class CallEnded extends Error {
  override readonly name = 'CallEnded';
}

/** What the call was, for the events. */
export interface CallDescription {
  events: Events;
  /** `/warren.v1.Jobs/Enqueue` */
  path: string;
  trace: Trace;
}

export function toStatus(error: unknown, call: CallDescription): CallStatus {
  if (error instanceof CallEnded) return { code: status.CANCELLED, details: 'the caller has gone' };
  if (error instanceof NotFound) return statusOf(status.NOT_FOUND, error.message, { reason: 'not_found' });
  if (error instanceof InvalidInput)
    return statusOf(status.INVALID_ARGUMENT, error.message, { reason: error.code, issues: error.issues });
  if (error instanceof Conflict)
    return statusOf(status.FAILED_PRECONDITION, error.message, { reason: error.code });
  if (error instanceof QueueFull)
    return statusOf(status.RESOURCE_EXHAUSTED, error.message, {
      reason: error.code,
      metadata: { queue: error.queue, maxDepth: String(error.maxDepth) },
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  if (error instanceof Unavailable) return unavailable(error.code, error, call);
  if (isMissingSchema(error)) return unavailable('schema_missing', error, call);
  if (isRowError(error))
    return statusOf(status.INVALID_ARGUMENT, 'Postgres cannot hold a value of the request', {
      reason: 'not_storable',
    });
  const { events, path, trace } = call;
  events.publish('request.failed', { ...trace, method: 'GRPC', path, error });
  return statusOf(status.INTERNAL, 'something unforeseen went wrong; it has been logged', {
    reason: 'internal_server_error',
  });
}

export function statusOf(code: status, message: string, details: StatusDetails): CallStatus {
  const text = cut(message, MAX_MESSAGE_CHARACTERS);
  const metadata = new Metadata();
  metadata.set(DETAILS_KEY, encodeStatus(code, text, details));
  return { code, details: text, metadata };
}

/** The cause's text may name hosts and users: it goes to the log, not to the client. */
function unavailable(code: string, error: unknown, { events, trace }: CallDescription): CallStatus {
  events.publish('request.unavailable', { ...trace, code, error });
  return statusOf(
    status.UNAVAILABLE,
    'a server behind the API is away or busy; nothing is known to have been done: try again',
    { reason: code, retryAfterSeconds: RETRY_AFTER_SECONDS },
  );
}
