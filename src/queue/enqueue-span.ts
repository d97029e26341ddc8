/**
 * What stands around an enqueue: the application's middleware, and within it the span of the enqueue (OpenTelemetry's kind PRODUCER), one for each call, of one
 * job or of many. The rows name it, and the attempts are linked to it.
 *
 * Guarantees: where the process has no SDK the call runs as it is, and its requests are not copied. What is enqueued does not depend on the span.
 */
import type { Attributes, Context } from '@opentelemetry/api';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { errorMessage } from '#shared/base/errors.ts';
import type { EnqueueMiddleware } from '#shared/job/middleware.ts';
import { aroundEnqueue } from '#shared/job/middleware.ts';
import { parseTraceparent } from '#shared/job/trace.ts';
import { contextOf, findTracer, fromTrace, toTrace } from '#shared/observe/tracing.ts';
import type { EnqueueRequest } from './new-job.ts';

/** `run` enqueues the requests as the middleware has left them; `idsOf` are those of the jobs that it has made, in the order of the requests. */
export async function enqueueWithin<Result>(
  middleware: readonly EnqueueMiddleware[],
  requests: readonly EnqueueRequest[],
  run: (requests: readonly EnqueueRequest[]) => Promise<Result>,
  idsOf: (result: Result) => readonly string[],
): Promise<Result> {
  return await aroundEnqueue(middleware, requests, (changed) => traceEnqueue(changed, run, idsOf));
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
    const message = errorMessage(error);
    span.setAttribute('error.type', error instanceof Error ? error.name : 'Error');
    span.setStatus({ code: SpanStatusCode.ERROR, message });
    span.recordException({ name: error instanceof Error ? error.name : 'Error', message });
    throw error;
  } finally {
    span.end();
  }
}

/** The span in which the caller runs, unless the request names a trace that is another one. */
function parentOf({ traceparent, tracestate }: EnqueueRequest): Context {
  const named = fromTrace({ traceparent: parseTraceparent(traceparent), tracestate });
  const active = context.active();
  if (named === undefined || trace.getSpanContext(active)?.traceId === named.traceId) return active;
  return contextOf(named);
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
