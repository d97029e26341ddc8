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
import { problemResponse } from '#shared/http/problem-response.ts';
import type { Trace } from '#shared/job/trace.ts';
import type { Events } from '#shared/observe/events.ts';
import { identifiedTrace } from '../request-trace.ts';
import type { AccessTokens } from './access-tokens.ts';
import { findForeignHost, findForeignOrigin, isNavigation, isProvenSameOrigin } from './browser-requests.ts';
import type { Identity, Role } from './roles.ts';
import { allows } from './roles.ts';
import type { RouteAccessTable } from './route-access.ts';
import type { Sessions } from './sessions.ts';

declare module 'hono' {
  interface ContextVariableMap {
    /** Who sends the request; on routes that everybody may use, undefined where nobody is known. */
    identity: Identity | undefined;
  }
}

export interface GuardOptions {
  events: Events;
  tokens: AccessTokens;
  sessions: Sessions;
  /** The `Host` headers that are answered, beside those of this machine. Undefined: all. */
  hosts: ReadonlySet<string> | undefined;
  routes: RouteAccessTable;
}

export const SESSION_COOKIE = 'warren-session';
/** Of a path, in events: anybody may send a long one. */
const MAX_PATH_CHARACTERS = 200;
const ANYBODY: Identity = { name: 'anybody', role: 'admin' };

export function guard({ events, tokens, sessions, hosts, routes }: GuardOptions): MiddlewareHandler {
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
    const identity = tokens.isOpen ? ANYBODY : identify(c, authorization);
    if (access.role !== 'none') {
      if (identity === undefined) return unknown(events, c, authorization);
      const refusal = refuse(c, {
        events,
        role: access.role,
        identity,
        isByCookie: !tokens.isOpen && authorization === undefined,
      });
      if (refusal !== undefined) return refusal;
    }
    c.set('identity', identity);
    await next();
    if (access.isAudited && identity !== undefined) reportAct(events, c, identity);
    return undefined;
  };

  function identify(c: Context, authorization: string | undefined): Identity | undefined {
    if (authorization !== undefined) {
      const bearer = /^Bearer +(\S.*)$/i.exec(authorization)?.[1];
      return bearer === undefined ? undefined : tokens.find(Buffer.from(bearer, 'latin1')); // a header's characters stand for bytes
    }
    if (c.req.header('cookie') === undefined) return undefined;
    const session = getCookie(c, SESSION_COOKIE, 'host') ?? getCookie(c, SESSION_COOKIE);
    return session === undefined ? undefined : sessions.find(session, tokens, Date.now());
  }
}

interface Asked {
  events: Events;
  role: Role;
  identity: Identity;
  isByCookie: boolean;
}

/** The first that stands in the way of somebody who is known, or nothing. */
function refuse(c: Context, { events, role, identity, isByCookie }: Asked): Response | undefined {
  if (!allows(identity.role, role)) {
    events.publish('access.refused', { token: identity.name, ...requestOf(c), reason: `needs ${role}` });
    return forbid(
      `this needs the role ${role}; the token ${identity.name} has ${identity.role}`,
      'role_missing',
    );
  }
  // A browser that says nothing of the page may have been made to send it; reading does no harm.
  if (isByCookie && !allows('viewer', role) && !isProvenSameOrigin(c))
    return forbid('with a cookie this is taken from a page of this server only', 'foreign_origin');
  return undefined;
}

/** People are shown where to sign in, programs what to send. */
function unknown(events: Events, c: Context, authorization: string | undefined): Response {
  const accepts = c.req.header('accept') ?? '';
  if (authorization === undefined && c.req.method === 'GET' && accepts.includes('text/html'))
    return c.redirect(`/sign-in?to=${encodeURIComponent(c.req.path)}`, 302);
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
