/**
 * Turns whatever goes wrong into a problem (RFC 9457): the one place that knows which error has which status.
 *
 * `type` is always "about:blank", `code` tells problems apart. What nobody foresaw becomes a 500 that says nothing of its cause; the cause is
 * published as `request.failed`.
 */
import { STATUS_CODES } from 'node:http';
import type { Hook } from '@hono/zod-openapi';
import type { Context, Env } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { InputIssue } from '#shared/errors.ts';
import { Conflict, InvalidInput, Unavailable } from '#shared/errors.ts';
import { publishEvent } from '#shared/events.ts';
import { toInputIssues } from '#shared/input-issues.ts';
import { isMissingSchema, isRowError } from '#shared/postgres/failures.ts';
import type { Problem } from './contract/problem.ts';
import { PROBLEM_MEDIA_TYPE } from './contract/problem.ts';

export const MAX_ISSUES = 20;
const RETRY_AFTER_SECONDS = '1';

interface ProblemOptions {
  detail: string;
  /** Defaults to the status's name, as `not_found`. */
  code?: string;
  errors?: readonly InputIssue[];
  headers?: Readonly<Record<string, string>>;
}

export function problemResponse(
  status: number,
  { detail, code, errors = [], headers = {} }: ProblemOptions,
): Response {
  const title = STATUS_CODES[status] ?? 'Unknown';
  const problem: Problem = {
    type: 'about:blank',
    title,
    status,
    detail,
    code: code ?? title.toLowerCase().replaceAll(/[^a-z]+/g, '_'),
    ...(errors.length > 0 && { errors: errors.slice(0, MAX_ISSUES) }),
  };
  return new Response(JSON.stringify(problem), {
    status,
    headers: { 'content-type': PROBLEM_MEDIA_TYPE, ...headers },
  });
}

/** For `app.onError`. */
export function answerError(error: unknown, c: Context): Response {
  if (error instanceof HTTPException) return problemResponse(error.status, { detail: error.message });
  if (error instanceof InvalidInput)
    return problemResponse(422, { detail: error.message, code: error.code, errors: error.issues });
  if (error instanceof Conflict) return problemResponse(409, { detail: error.message, code: error.code });
  if (error instanceof Unavailable) return unavailable(error.code, error);
  if (isMissingSchema(error)) return unavailable('schema_missing', error);
  if (isRowError(error))
    return problemResponse(422, {
      detail: 'Postgres cannot hold a value of the request',
      code: 'not_storable',
    });
  publishEvent('request.failed', { method: c.req.method, path: c.req.path, error });
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
function unavailable(code: string, error: unknown): Response {
  publishEvent('request.unavailable', { code, error });
  return problemResponse(503, {
    detail: 'a server behind the API is away or busy; nothing is known to have been done: try again',
    code,
    headers: { 'retry-after': RETRY_AFTER_SECONDS },
  });
}
