/**
 * Turns whatever goes wrong into a problem (RFC 9457): the one place that knows which error has which status.
 *
 * What nobody foresaw becomes a 500 that says nothing of its cause; the cause is
 * published as `request.failed`.
 */
import type { Hook } from '@hono/zod-openapi';
import type { Context, Env } from 'hono';
import { HTTPException } from 'hono/http-exception';
import { Conflict, InvalidInput, NotFound, QueueFull, Unavailable } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import { problemResponse } from '#shared/http/problem-response.ts';
import type { Events } from '#shared/observe/events.ts';
import { isMissingSchema, isRowError } from '#shared/postgres/failures.ts';
import { identifiedTrace } from './request-trace.ts';

const RETRY_AFTER_SECONDS = '1';

/** For `app.onError`. */
export function answerErrors(events: Events): (error: unknown, c: Context) => Response {
  return (error, c) => answerError(events, error, c);
}

function answerError(events: Events, error: unknown, c: Context): Response {
  if (error instanceof HTTPException) return problemResponse(error.status, { detail: error.message });
  if (error instanceof NotFound) return problemResponse(404, { detail: error.message });
  if (error instanceof InvalidInput)
    return problemResponse(422, { detail: error.message, code: error.code, errors: error.issues });
  if (error instanceof Conflict) return problemResponse(409, { detail: error.message, code: error.code });
  if (error instanceof QueueFull)
    return problemResponse(429, {
      detail: error.message,
      code: error.code,
      headers: { 'retry-after': RETRY_AFTER_SECONDS },
    });
  if (error instanceof Unavailable) return unavailable(events, c, { code: error.code, error });
  if (isMissingSchema(error)) return unavailable(events, c, { code: 'schema_missing', error });
  if (isRowError(error))
    return problemResponse(422, {
      detail: 'Postgres cannot hold a value of the request',
      code: 'not_storable',
    });
  const { method, path } = c.req;
  events.publish('request.failed', { ...identifiedTrace(c), method, path, error });
  return problemResponse(500, { detail: 'something unforeseen went wrong; it has been logged' });
}

/** For `defaultHook`: what a route's schema refuses. */
export const refuseInvalid: Hook<unknown, Env, string, Response | undefined> = (result) => {
  if (result.success) return undefined;
  const [what, code] = result.target === 'json' ? ['body', 'invalid_body'] : ['request', 'invalid_request'];
  const issues = toInputIssues(result.error.issues);
  throw new InvalidInput(code as string, `the ${what} does not fit its schema`, issues);
};

/** The cause's text may name hosts and users: it goes to the log, not to the client. */
function unavailable(
  events: Events,
  c: Context,
  { code, error }: { code: string; error: unknown },
): Response {
  events.publish('request.unavailable', { ...identifiedTrace(c), code, error });
  return problemResponse(503, {
    detail: 'a server behind the API is away or busy; nothing is known to have been done: try again',
    code,
    headers: { 'retry-after': RETRY_AFTER_SECONDS },
  });
}
