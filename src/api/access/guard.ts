/**
 * Lets a request through, or says why not: the one place where that is decided, before anything of the request's body is read. What is registered
 * on the app before it is open to everybody.
 *
 * In this order: the route declares who may use it; the `Host` is one of ours; no foreign page has made a browser send it; somebody is known by a
 * bearer token or by a session cookie; their role suffices. A bearer token is sent on purpose, so that it does not matter which page has sent it;
 * everything else a browser may have added by itself.
 */
import type { Context, MiddlewareHandler } from 'hono';
import { getCookie } from 'hono/cookie';
import type { Audit } from '#queue/audit.ts';
import { problemResponse } from '#shared/http/problem-response.ts';
import type { Trace } from '#shared/job/trace.ts';
import type { Events } from '#shared/observe/events.ts';
import { relativePath } from '../relative-path.ts';
import { identifiedTrace } from '../request-trace.ts';
import type { AccessTokens } from './access-tokens.ts';
import { endOf, entryOf } from './audited-act.ts';
import { findForeignHost, findForeignOrigin, isNavigation, isProvenSameOrigin } from './browser-requests.ts';
import type { Identity, Role } from './roles.ts';
import { allows } from './roles.ts';
import type { RouteAccessTable } from './route-access.ts';
import type { Sessions } from './sessions.ts';

declare module 'hono' {
  interface ContextVariableMap {
    /** Who sends the request; on routes that everybody may use, undefined where nobody is known. */
    identity: Identity | undefined;
    /** Whether the one who sends it would be let in now: an answer that lasts outlives tokens and sessions. */
    mayStill: () => boolean;
  }
}

export interface GuardOptions {
  events: Events;
  audit: Pick<Audit, 'begin'>;
  tokens: AccessTokens;
  sessions: Sessions;
  /** The `Host` headers that are answered, beside those of this machine. Undefined: all. */
  hosts: ReadonlySet<string> | undefined;
  routes: RouteAccessTable;
}

export const SESSION_COOKIE = 'warren-session';
/** Of a path, in events: anybody may send a long one. */
const MAX_PATH_CHARACTERS = 200;

export function guard({ events, audit, tokens, sessions, hosts, routes }: GuardOptions): MiddlewareHandler {
  return async (c, next) => {
    const access = routes.find(c);
    if (access === undefined) return forbid('nobody may use this route: it does not declare a role');
    const foreignHost = hosts === undefined ? undefined : findForeignHost(c, hosts);
    // 403 and not 421: that asks the client to try again on another connection.
    if (foreignHost !== undefined) return forbid(foreignHost, 'foreign_host');
    const authorization = tokens.isOpen ? undefined : c.req.header('authorization');
    if (authorization === undefined && !(access.isPage && isNavigation(c))) {
      const foreignOrigin = findForeignOrigin(c);
      if (foreignOrigin !== undefined) return forbid(foreignOrigin, 'foreign_origin');
    }
    const whoIsIt = () => (tokens.isOpen ? tokens.anybody : identify(c, authorization));
    const identity = whoIsIt();
    if (access.role !== 'none') {
      if (identity === undefined) return unknown(events, c, authorization);
      const refusal = refuse(c, {
        events,
        role: access.role,
        identity,
        isByCookie: !tokens.isOpen && authorization === undefined,
        onlyShows: access.isPage && c.req.method === 'GET',
      });
      if (refusal !== undefined) return refusal;
    }
    c.set('identity', identity);
    c.set('mayStill', () => mayUse(access.role, whoIsIt()));
    if (!access.isAudited || identity === undefined) await next();
    else await act(c, next, { events, audit, identity, pattern: access.pattern });
    return undefined;
  };

  function identify(c: Context, authorization: string | undefined): Identity | undefined {
    if (authorization !== undefined) return tokens.findBearer(authorization);
    if (c.req.header('cookie') === undefined) return undefined;
    const session = getCookie(c, SESSION_COOKIE, 'host') ?? getCookie(c, SESSION_COOKIE);
    return session === undefined ? undefined : sessions.find(session, tokens, Date.now());
  }
}

function mayUse(role: Role | 'none', identity: Identity | undefined): boolean {
  return role === 'none' || (identity !== undefined && allows(identity.role, role));
}

interface Asked {
  events: Events;
  role: Role;
  identity: Identity;
  isByCookie: boolean;
  /** It answers with a page, and does nothing. */
  onlyShows: boolean;
}

/** The first that stands in the way of somebody who is known, or nothing. */
function refuse(c: Context, { events, role, identity, isByCookie, onlyShows }: Asked): Response | undefined {
  if (!allows(identity.role, role)) {
    events.publish('access.refused', { token: identity.name, ...requestOf(c), reason: `needs ${role}` });
    return forbid(
      `this needs the role ${role}; the token ${identity.name} has ${identity.role}`,
      'role_missing',
    );
  }
  // A browser that says nothing of the page may have been made to send it; reading does no harm.
  if (isByCookie && !onlyShows && !allows('viewer', role) && !isProvenSameOrigin(c))
    return forbid('with a cookie this is taken from a page of this server only', 'foreign_origin');
  return undefined;
}

interface Acting extends Pick<GuardOptions, 'events' | 'audit'> {
  identity: Identity;
  pattern: string;
}

/** Notes the act before it is done and how it went. Where it cannot be noted it is not done: 503. */
async function act(
  c: Context,
  next: () => Promise<void>,
  { events, audit, identity, pattern }: Acting,
): Promise<void> {
  const { requestId } = identifiedTrace(c);
  const end = await audit.begin(entryOf(c, { identity, pattern, requestId }));
  await next();
  reportAct(events, c, identity);
  await end(endOf(c));
}

/** People are shown where to sign in, programs what to send. */
function unknown(events: Events, c: Context, authorization: string | undefined): Response {
  const accepts = c.req.header('accept') ?? '';
  if (authorization === undefined && c.req.method === 'GET' && accepts.includes('text/html'))
    return c.redirect(signInAddress(c), 302);
  const reason = authorization === undefined ? 'no token' : 'a wrong token';
  events.publish('access.refused', { token: undefined, ...requestOf(c), reason });
  return problemResponse(401, {
    detail:
      authorization?.match(/^Bearer +\S/i) == null
        ? 'send a token as "Authorization: Bearer <token>"'
        : 'the token is wrong',
    headers: { 'www-authenticate': 'Bearer realm="warren"' },
  });
}

/** With the page that was asked for, to be opened afterwards. */
function signInAddress(c: Context): string {
  const to = c.req.path + new URL(c.req.url).search;
  return `${relativePath(c.req.path, '/sign-in')}?to=${encodeURIComponent(to)}`;
}

function forbid(detail: string, code?: string): Response {
  return problemResponse(403, code === undefined ? { detail } : { detail, code });
}

function reportAct(events: Events, c: Context, { name, role }: Identity): void {
  events.publish('access.acted', { token: name, role, ...requestOf(c), status: c.res.status });
}

function requestOf(c: Context): Trace & { method: string; path: string } {
  const { method, path } = c.req;
  return { ...identifiedTrace(c), method, path: path.slice(0, MAX_PATH_CHARACTERS) };
}
