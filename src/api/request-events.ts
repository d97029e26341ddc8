/**
 * Tells of every request that was answered: which route, which status, how long; and ties it to its trace. It is on the way of each request, so it does as little as it can.
 */
import type { MiddlewareHandler } from 'hono';
import { routePath } from 'hono/route';
import type { Events } from '#shared/observe/events.ts';
import { answerRequestId, readTrace } from './request-trace.ts';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** To be registered first, for all paths. */
export const tellOfRequests =
  (events: Events): MiddlewareHandler =>
  async (c, next) => {
    const startedAt = performance.now();
    readTrace(c);
    await next();
    answerRequestId(c);
    const path = routePath(c, -1);
    events.publish('request.finished', {
      method: METHODS.has(c.req.method) ? c.req.method : 'OTHER',
      route: path === '/*' || path === '*' ? 'none' : path,
      status: c.res.status,
      durationMs: performance.now() - startedAt,
    });
  };
