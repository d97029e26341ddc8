/**
 * What stands around an enqueue: the application's middleware, and within it the span of the enqueue (OpenTelemetry's kind PRODUCER), one for each call, of one
 * job or of many. The rows name it, and the attempts are linked to it.
 *
 * Guarantees: where the process has no SDK the call runs as it is, and its requests are not copied. What is enqueued does not depend on the span.
 */
import type { Attributes, Context, Span } from '@opentelemetry/api';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { errorMessage } from '#shared/base/errors.ts';
import type { App } from '#shared/job/app.ts';
import { aroundEnqueue } from '#shared/job/middleware.ts';
import { parseTraceparent } from '#shared/job/trace.ts';
import {
  activeBaggage,
  contextOf,
  findTracer,
  fromTrace,
  toTrace,
  withBaggage,
} from '#shared/observe/tracing.ts';
import type { EnqueueRequest } from './new-job.ts';

/** What an application has around every enqueue. */
export type Wrapping = Pick<App, 'middleware' | 'trace'>;

export const unwrapped: Wrapping = {
  middleware: { enqueue: [], perform: [] },
  trace: { baggage: false },
};

/** Whether there is anything around an enqueue. */
export function isWrapped({ middleware, trace: { baggage } }: Wrapping): boolean {
  return middleware.enqueue.length > 0 || baggage || findTracer() !== undefined;
}

/** `run` enqueues the requests as the middleware has left them; `idsOf` are those of the jobs that it has made, in the order of the requests. */
export async function enqueueWithin<Result>(
  { middleware, trace: { baggage: carriesBaggage } }: Wrapping,
  requests: readonly EnqueueRequest[],
  run: (requests: readonly EnqueueRequest[]) => Promise<Result>,
  idsOf: (result: Result) => readonly string[],
): Promise<Result> {
  return await aroundEnqueue(middleware.enqueue, requests, (changed) =>
    traceEnqueue(carriesBaggage ? loadBaggage(changed) : changed, run, idsOf),
  );
}

/** The active baggage, for those that bring none of their own. */
function loadBaggage(requests: readonly EnqueueRequest[]): readonly EnqueueRequest[] {
  const baggage = activeBaggage();
  if (baggage === undefined) return requests;
  return requests.map((request) => (request.baggage === undefined ? { ...request, baggage } : request));
}

async function traceEnqueue<Result>(
  requests: readonly EnqueueRequest[],
  run: (requests: readonly EnqueueRequest[]) => Promise<Result>,
  idsOf: (result: Result) => readonly string[],
): Promise<Result> {
  const tracer = findTracer();
  const [first] = requests;
  if (tracer === undefined || first === undefined) return await run(requests);
  const { definition, queue = definition.queue } = first;
  const parent = parentOf(first);
  const options = { kind: SpanKind.PRODUCER, attributes: attributesOf(requests, queue) };
  const span = tracer.startSpan(`send ${queue}`, options, parent);
  try {
    const traced = requests.map((request) =>
      isOfAnother(request, first) ? request : { ...request, ...toTrace(span.spanContext()) },
    );
    const result = await context.with(trace.setSpan(parent, span), () => run(traced));
    const ids = idsOf(result);
    if (ids[0] !== undefined && requests.length === 1) span.setAttribute('messaging.message.id', ids[0]);
    return result;
  } catch (error) {
    noteError(span, error);
    throw error;
  } finally {
    span.end();
  }
}

/** In the span of an enqueue that was refused. */
export function noteError(span: Span, error: unknown): void {
  const message = errorMessage(error);
  const name = error instanceof Error ? error.name : 'Error';
  span.setAttribute('error.type', name);
  span.setStatus({ code: SpanStatusCode.ERROR, message });
  span.recordException({ name, message });
}

/** The span in which the caller runs, unless the request names a trace that is another one. */
function parentOf({ traceparent, tracestate, baggage }: EnqueueRequest): Context {
  const named = fromTrace({ traceparent: parseTraceparent(traceparent), tracestate });
  const active = context.active();
  const isActive = named === undefined || trace.getSpanContext(active)?.traceId === named.traceId;
  return withBaggage(isActive ? active : contextOf(named), baggage);
}

/** A request among many that brings a trace of its own keeps it. */
function isOfAnother({ traceparent }: EnqueueRequest, first: EnqueueRequest): boolean {
  return traceparent !== undefined && traceparent !== first.traceparent;
}

function attributesOf(requests: readonly EnqueueRequest[], queue: string): Attributes {
  const types = new Set(requests.map(({ definition }) => definition.type));
  return {
    'messaging.system': 'warren',
    'messaging.operation.name': 'enqueue',
    'messaging.operation.type': 'send',
    'messaging.destination.name': queue,
    ...(requests.length === 1 ? {} : { 'messaging.batch.message_count': requests.length }),
    ...(types.size === 1 ? { 'warren.job.type': [...types][0] } : {}),
  };
}
