/**
 * What spans of OpenTelemetry are made with, where the process has an SDK. Warren knows the API alone.
 *
 * Guarantees: where no SDK has registered a tracer provider, nothing is made or called but `findTracer`, which answers undefined. Must not know
 * what is traced.
 */
import type { Context, SpanContext, Tracer } from '@opentelemetry/api';
import {
  baggageEntryMetadataFromString,
  context,
  createTraceState,
  isSpanContextValid,
  propagation,
  ROOT_CONTEXT,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { resolvedWithin } from '../base/backoff.ts';
import type { BaggageItem } from '../job/baggage.ts';
import { readBaggage, writeBaggage } from '../job/baggage.ts';
import type { SpanIds, Trace } from '../job/trace.ts';
import { MAX_TRACESTATE_CHARACTERS } from '../job/trace.ts';

const NAME = 'warren';
const HEXADECIMAL = 16;

/**
 * Undefined where there is no SDK. The API's provider stands for one that is registered later, and makes spans that do nothing until then; it is asked
 * for the real tracer, so that no such span is made. It is asked anew each time: an application may start its SDK when Warren has started.
 */
export function findTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider();
  if (!('getDelegateTracer' in provider)) return provider.getTracer(NAME);
  return (provider as { getDelegateTracer(name: string): Tracer | undefined }).getDelegateTracer(NAME);
}

/** Has the SDK send what it holds, where there is one, for at most so many milliseconds. Never rejects: the SDK tells of what it could not send. */
export async function flushSpans(deadlineMs: number): Promise<void> {
  const { getDelegate } = trace.getTracerProvider() as { getDelegate?: () => object };
  const provider: { forceFlush?: () => Promise<void> } = getDelegate?.call(trace.getTracerProvider()) ?? {};
  const flushed = Promise.resolve(provider.forceFlush?.()).catch(() => {});
  await resolvedWithin(flushed, deadlineMs);
}

/** Of the span in which the caller runs; nothing where there is none. */
export function activeSpanIds(): SpanIds | Record<string, never> {
  const active = trace.getActiveSpan()?.spanContext();
  return active !== undefined && isSpanContextValid(active) ? toSpanIds(active) : {};
}

export function toSpanIds({ traceId, spanId, traceFlags }: SpanContext): SpanIds {
  return {
    trace_id: traceId,
    span_id: spanId,
    trace_flags: traceFlags.toString(HEXADECIMAL).padStart(2, '0'),
  };
}

/** The context in which the span of another process is the active one. */
export function remoteContext({ trace_id, span_id, trace_flags }: SpanIds, parent: Context): Context {
  const traceFlags = Number.parseInt(trace_flags, HEXADECIMAL);
  return trace.setSpanContext(parent, { traceId: trace_id, spanId: span_id, traceFlags, isRemote: true });
}

/** As a row has it. */
export function toTrace(span: SpanContext): Pick<Trace, 'traceparent' | 'tracestate'> {
  const { trace_id, span_id, trace_flags } = toSpanIds(span);
  const tracestate = span.traceState?.serialize() ?? '';
  return {
    traceparent: `00-${trace_id}-${span_id}-${trace_flags}`,
    tracestate: tracestate === '' || tracestate.length > MAX_TRACESTATE_CHARACTERS ? undefined : tracestate,
  };
}

/** The span that a row or a request names. Undefined where it names none; `traceparent` was checked (`parseTraceparent`). */
export function fromTrace({ traceparent, tracestate }: Trace): SpanContext | undefined {
  const [, traceId, spanId, flags] = traceparent?.split('-') ?? [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return {
    traceId,
    spanId,
    traceFlags: Number.parseInt(flags, HEXADECIMAL) & TraceFlags.SAMPLED,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  };
}

/** With that span as the active one. */
export function contextOf(span: SpanContext): Context {
  return trace.setSpanContext(ROOT_CONTEXT, span);
}

/** That of the context in which the caller runs, as a header; undefined where there is none, or more than a header may have. */
export function activeBaggage(): string | undefined {
  const active = propagation.getBaggage(context.active());
  if (active === undefined) return undefined;
  const items = active
    .getAllEntries()
    .map(([key, { value, metadata }]): [string, BaggageItem] => [
      key,
      { value, properties: metadata?.toString() || undefined },
    ]);
  return items.length === 0 ? undefined : writeBaggage(items);
}

/** The context with that baggage as the active one; as it is where the header is undefined. */
export function withBaggage(parent: Context, header: string | undefined): Context {
  const items = header === undefined ? undefined : readBaggage(header);
  if (items === undefined) return parent;
  const entries = Array.from(items, ([key, { value, properties }]) => [
    key,
    properties === undefined ? { value } : { value, metadata: baggageEntryMetadataFromString(properties) },
  ]);
  return propagation.setBaggage(parent, propagation.createBaggage(Object.fromEntries(entries)));
}
