/**
 * Sign-in for people: a form takes a token and gives a cookie that no script can read and no other site can send.
 *
 * That the form is one of ours has been seen before (access/guard.ts). Afterwards only pages that can be read are opened, so that a link to the
 * form makes nobody do anything.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { deleteCookie, setCookie } from 'hono/cookie';
import { HTTPException } from 'hono/http-exception';
import type { Events } from '#shared/observe/events.ts';
import type { AccessTokens } from '../access/access-tokens.ts';
import { SESSION_COOKIE } from '../access/guard.ts';
import type { Identity } from '../access/roles.ts';
import { allows } from '../access/roles.ts';
import type { RouteAccessTable } from '../access/route-access.ts';
import type { Sessions } from '../access/sessions.ts';
import { SESSION_SECONDS } from '../access/sessions.ts';
import { signInPageRoute, signInRoute, signOutRoute } from '../contract/sign-in.ts';
import { pageHeaders } from '../page-headers.ts';
import { relativePath } from '../relative-path.ts';
import { identifiedTrace } from '../request-trace.ts';
import type { SignInPage } from '../sign-in-page.ts';
import { renderSignInPage, signInStyle } from '../sign-in-page.ts';

const MAX_FORM_BYTES = 16_384;
const HOME = '/dashboard';

export interface SignInDependencies {
  events: Events;
  tokens: AccessTokens;
  sessions: Sessions;
  routes: RouteAccessTable;
}

export function registerSignIn(
  app: OpenAPIHono,
  { events, tokens, sessions, routes }: SignInDependencies,
): void {
  const headers = pageHeaders(signInStyle);
  const show = async (c: Context, status: 200 | 401 | 403, page: SignInPage) =>
    c.body(await renderSignInPage(page), status, headers);
  const target = (to: string | undefined) => (to !== undefined && routes.isReadable(to) ? to : HOME);

  app.openapi(signInPageRoute, async (c) => {
    const to = target(c.req.valid('query').to);
    if (tokens.isOpen) return c.redirect(relativePath(c.req.path, to), 302);
    return await show(c, 200, { identity: c.var.identity, to });
  });

  const tooLarge = () => {
    throw new HTTPException(413, { message: `the form is larger than ${MAX_FORM_BYTES} bytes` });
  };
  app.post(signInRoute.path, bodyLimit({ maxSize: MAX_FORM_BYTES, onError: tooLarge }));
  app.openapi(signInRoute, async (c) => {
    const form = c.req.valid('form');
    const to = target(form.to);
    if (tokens.isOpen) return c.redirect(relativePath(c.req.path, to), 303);
    const token = tokens.find(form.token?.trim() ?? '');
    if (token === undefined) {
      events.publish('access.refused', {
        ...identifiedTrace(c),
        token: undefined,
        method: 'POST',
        path: '/sign-in',
        reason: 'a wrong token',
      });
      return await show(c, 401, { identity: undefined, to, problem: 'This token is wrong.' });
    }
    if (!allows(token.role, 'viewer'))
      return await show(c, 403, {
        identity: undefined,
        to,
        problem: 'This token opens no pages: it reads metrics only.',
      });
    setCookie(c, SESSION_COOKIE, sessions.create(token, Date.now()), {
      ...cookieOptions(c),
      maxAge: SESSION_SECONDS,
      httpOnly: true,
      sameSite: 'Strict',
    });
    report(events, c, { identity: token, path: '/sign-in' });
    return c.redirect(relativePath(c.req.path, to), 303);
  });

  app.openapi(signOutRoute, (c) => {
    const { identity } = c.var;
    if (identity !== undefined && !tokens.isOpen) report(events, c, { identity, path: '/sign-out' });
    deleteCookie(c, SESSION_COOKIE, cookieOptions(c));
    return c.redirect(relativePath(c.req.path, '/sign-in'), 303);
  });
}

/** The browser itself tells the scheme that it has used, whatever proxies lie between. The prefix keeps other hosts from setting the cookie. */
function cookieOptions(c: Context): { path: '/'; secure: boolean; prefix?: 'host' } {
  const url = c.req.header('origin') ?? c.req.url;
  return url.startsWith('https:')
    ? { path: '/', secure: true, prefix: 'host' }
    : { path: '/', secure: false };
}

function report(
  events: Events,
  c: Context,
  { identity: { name, role }, path }: { identity: Identity; path: string },
): void {
  events.publish('access.acted', {
    ...identifiedTrace(c),
    token: name,
    role,
    method: 'POST',
    path,
    status: 303,
  });
}
