/**
 * What ties a job to the request that enqueued it: the request's id and its place in a distributed trace (W3C Trace Context). Both come from outside
 * and go into headers, log lines and rows, so they are bounded and checked here. Pure.
 */
import { parseBaggage } from './baggage.ts';

export interface Trace {
  /** `00-<trace id>-<parent id>-<flags>`, as W3C Trace Context has it. */
  traceparent?: string | undefined;
  /** What the vendors of that trace have added, `tracestate`: at most 512 printable ASCII characters. Without `traceparent` it says nothing. */
  tracestate?: string | undefined;
  /** The id of the request, `x-request-id`: 1 to 128 printable ASCII characters. */
  requestId?: string | undefined;
}

/** A trace as it travels with a job. */
export interface CarriedTrace extends Trace {
  /** W3C Baggage: at most 8 192 ASCII characters (baggage.ts). Not in log lines: it may be about people. */
  baggage?: string | undefined;
}

/** How log lines name a span (https://opentelemetry.io/docs/specs/otel/compatibility/logging_trace_context/). */
export interface SpanIds {
  trace_id: string;
  span_id: string;
  trace_flags: string;
}

const TRACEPARENT =
  /^(?<version>(?!ff)[0-9a-f]{2})-(?<ids>(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<more>-.*)?$/;
/** More than any version of the header is known to have. */
const MAX_TRACEPARENT_CHARACTERS = 256;
const SAMPLED = 1;
/** As much as the specification has everybody pass on. */
export const MAX_TRACESTATE_CHARACTERS = 512;

/**
 * The header, or undefined where it is malformed. Of a version that is not known yet it is what version 00 has of it, as the specification asks
 * for (https://www.w3.org/TR/trace-context/#versioning-of-traceparent).
 */
export function parseTraceparent(text: string | undefined): string | undefined {
  if (text === undefined || text.length > MAX_TRACEPARENT_CHARACTERS) return undefined;
  const { version, ids, flags = '', more } = TRACEPARENT.exec(text)?.groups ?? {};
  if (version === '00') return more === undefined ? text : undefined;
  if (ids === undefined) return undefined;
  return `00-${ids}-0${Number.parseInt(flags, 16) & SAMPLED}`;
}

/** The id, or undefined where it is empty, too long, or not printable ASCII. */
export function parseRequestId(text: string | undefined): string | undefined {
  return text !== undefined && /^[\x20-\x7e]{1,128}$/.test(text) ? text : undefined;
}

/** The header, or undefined where it is too long or not printable ASCII: a part of it would be another one. */
export function parseTracestate(text: string | undefined): string | undefined {
  if (text === undefined || text.length > MAX_TRACESTATE_CHARACTERS) return undefined;
  return /^[\x20-\x7e]+$/.test(text) ? text : undefined;
}

/** What is well-formed of them; undefined where nothing is. */
export function parseTrace({
  traceparent,
  tracestate,
  requestId,
  baggage,
}: CarriedTrace): CarriedTrace | undefined {
  if (traceparent === undefined && requestId === undefined && baggage === undefined) return undefined;
  const trace: CarriedTrace = {
    traceparent: parseTraceparent(traceparent),
    requestId: parseRequestId(requestId),
  };
  if (baggage !== undefined) trace.baggage = parseBaggage(baggage);
  if (trace.traceparent === undefined)
    return trace.requestId === undefined && trace.baggage === undefined ? undefined : trace;
  if (tracestate !== undefined) trace.tracestate = parseTracestate(tracestate);
  return trace;
}

/** What log lines and events may have of it. */
export function withoutBaggage({ baggage, ...trace }: CarriedTrace): Trace {
  return trace;
}
