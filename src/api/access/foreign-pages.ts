/**
 * Refuses what a foreign web page makes a browser send: every request of another origin, whatever its method, and every request under a name that
 * is not this server's.
 */
import type { MiddlewareHandler } from 'hono';
import { problemResponse } from '#shared/http/problem-response.ts';
import { findForeignHost, findForeignOrigin } from './browser-requests.ts';

/** `hosts`: as in the settings; undefined: under any name. */
export function refuseForeignPages(hosts: ReadonlySet<string> | undefined): MiddlewareHandler {
  return async (c, next) => {
    // 403 and not 421 for a foreign host: 421 asks the client to try again on another connection.
    const foreignHost = hosts === undefined ? undefined : findForeignHost(c, hosts);
    if (foreignHost !== undefined) return problemResponse(403, { detail: foreignHost, code: 'foreign_host' });
    const foreignOrigin = findForeignOrigin(c);
    if (foreignOrigin !== undefined)
      return problemResponse(403, { detail: foreignOrigin, code: 'foreign_origin' });
    return await next();
  };
}
