/**
 * The answer to a request that no route takes: 405 where the path exists under another method, else 404.
 */
import type { Context } from 'hono';
import { problemResponse } from '#shared/http/problem-response.ts';

interface Route {
  path: string;
  method: string;
}

/** For `app.notFound`. `routes`: all of the app's, in hono's spelling of paths. */
export function answerUnrouted(routes: readonly Route[]): (c: Context) => Response {
  const known = routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ path, method }) => ({ method, pattern: new RegExp(`^${path.replaceAll(/:[^/]+/g, '[^/]+')}$`) }));
  return (c) => {
    const methods = known.filter(({ pattern }) => pattern.test(c.req.path)).map(({ method }) => method);
    if (methods.length === 0) return problemResponse(404, { detail: 'there is nothing at this path' });
    if (methods.includes('GET')) methods.push('HEAD');
    const allow = [...new Set(methods)].sort().join(', ');
    return problemResponse(405, { detail: `this path takes ${allow}`, headers: { allow } });
  };
}
