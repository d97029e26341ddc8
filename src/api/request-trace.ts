/**
 * What ties a request to its caller's other work: its id (`x-request-id`) and its place in a distributed trace (`traceparent`).
 *
 * On the way of every request, so that one with neither header costs two look-ups and no more. An id of ours is made only where somebody will look
 * for it: for a problem, and for a line of the log.
 */
import { randomUUID } from 'node:crypto';
import type { Context, MiddlewareHandler } from 'hono';
import { parseBaggage } from '#shared/job/baggage.ts';
import type { CarriedTrace, Trace } from '#shared/job/trace.ts';
import { parseRequestId, parseTraceparent, parseTracestate, withoutBaggage } from '#shared/job/trace.ts';

declare module 'hono' {
  interface ContextVariableMap {
    /** What the request's headers have said, and the id that was made for it; undefined where there is neither. */
    trace: CarriedTrace | undefined;
  }
}

const REQUEST_ID = 'x-request-id';

/** Before anything else looks at the request. An id that is no id is replaced by one of ours, a malformed `traceparent` is ignored. */
export function readTrace(c: Context): void {
  const sentId = c.req.header(REQUEST_ID);
  const sentParent = c.req.header('traceparent');
  if (sentId === undefined && sentParent === undefined) return;
  const requestId = sentId === undefined ? undefined : (parseRequestId(sentId) ?? randomUUID());
  const traceparent = parseTraceparent(sentParent);
  const tracestate = traceparent === undefined ? undefined : parseTracestate(c.req.header('tracestate'));
  c.set('trace', { traceparent, requestId, ...(tracestate === undefined ? {} : { tracestate }) });
}

/** After `readTrace`, where the application has baggage travel with its jobs. A malformed one is ignored. */
export const carryBaggage: MiddlewareHandler = async (c, next) => {
  const baggage = parseBaggage(c.req.header('baggage'));
  if (baggage !== undefined) c.set('trace', { ...c.get('trace'), baggage });
  await next();
};

/** The request's trace, with an id of ours where it has brought none: for the log. The answer will tell the id. */
export function identifiedTrace(c: Context): Trace {
  const trace = c.get('trace') ?? {};
  const identified = { ...trace, requestId: trace.requestId ?? randomUUID() };
  c.set('trace', identified);
  return withoutBaggage(identified);
}

/** When everything else is done: tells the id to those who have sent one, and in every problem. */
export function answerRequestId(c: Context): void {
  const trace = c.res.status >= 400 ? identifiedTrace(c) : c.get('trace');
  if (trace?.requestId !== undefined) c.res.headers.set(REQUEST_ID, trace.requestId);
}
