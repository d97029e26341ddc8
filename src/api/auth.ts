/**
 * Lets in who shows the token. What is registered on the app before this guard is open to everybody.
 *
 * Bearer everywhere; on `/docs`, which people open in a browser, also Basic with the token as the password. The comparison takes the same time
 * whatever was sent.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { MiddlewareHandler } from 'hono';
import { problemResponse } from '#shared/http/problem-response.ts';

const REALM = 'realm="warren"';
const BROWSER_PATH = '/docs';

export function requireToken(token: string): MiddlewareHandler {
  const expected = digest(token);
  return async (c, next) => {
    const isBrowserPath = c.req.path === BROWSER_PATH;
    const sent = sentToken(c.req.header('authorization') ?? '', isBrowserPath);
    if (sent !== undefined && timingSafeEqual(digest(sent), expected)) return await next();
    return problemResponse(401, {
      detail: sent === undefined ? 'send the token as "Authorization: Bearer <token>"' : 'the token is wrong',
      headers: { 'www-authenticate': isBrowserPath ? `Basic ${REALM}, charset="UTF-8"` : `Bearer ${REALM}` },
    });
  };
}

/** The bytes of the token: a header's characters stand for bytes. */
function sentToken(authorization: string, acceptBasic: boolean): Buffer | undefined {
  const bearer = /^Bearer +(\S.*)$/i.exec(authorization)?.[1];
  if (bearer !== undefined) return Buffer.from(bearer, 'latin1');
  if (!acceptBasic) return undefined;
  const basic = /^Basic +(\S+)$/i.exec(authorization)?.[1];
  if (basic === undefined) return undefined;
  const credentials = Buffer.from(basic, 'base64');
  return credentials.subarray(credentials.indexOf(':') + 1);
}

function digest(token: string | Buffer): Buffer {
  return createHash('sha256').update(token).digest();
}
