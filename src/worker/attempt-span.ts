/**
 * The span of an attempt (OpenTelemetry's kind CONSUMER), in a trace of its own and linked to the span of the enqueue: a job may run hours later and many times.
 *
 * Guarantees: where the process has no SDK nothing is made. Spans that a handler makes are children of the attempt's, in a thread or a process of its
 * own too, where that has an SDK. Of an error it has what the row has, redacted as there.
 */
import type { Context, Span } from '@opentelemetry/api';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { target } from '#shared/job/transitions.ts';
import { findTracer, fromTrace, remoteContext, toSpanIds } from '#shared/observe/tracing.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Outcome } from '#shared/postgres/statements/record.ts';

/** `TypeError: …`, or one of Warren's own codes, as `timeout: …` (errorMessage). */
const NAME_OF_ERROR = /^(\w+): /;

/** Undefined where nothing traces. */
export function startAttemptSpan(claim: Claim): AttemptSpan | undefined {
  const tracer = findTracer();
  if (tracer === undefined) return undefined;
  const { id, type, queue, attempt, trace: stored } = claim;
  const enqueue = fromTrace(stored ?? {});
  const options = {
    kind: SpanKind.CONSUMER,
    root: true,
    links: enqueue === undefined ? [] : [{ context: enqueue }],
    attributes: {
      'messaging.system': 'warren',
      'messaging.operation.name': 'perform',
      'messaging.operation.type': 'process',
      'messaging.destination.name': queue,
      'messaging.message.id': id,
      'warren.job.type': type,
      'warren.job.attempt': attempt,
    },
  };
  return new AttemptSpan(tracer.startSpan(`process ${queue}`, options), claim);
}

export class AttemptSpan {
  /** The claim with the ids of this span in its trace: every line about the attempt has them. */
  readonly claim: Claim;
  readonly #span: Span;
  readonly #context: Context;

  constructor(span: Span, claim: Claim) {
    this.#span = span;
    this.#context = trace.setSpan(context.active(), span);
    this.claim = { ...claim, trace: { ...claim.trace, ...toSpanIds(span.spanContext()) } };
  }

  /** Ends the span when `work` has ended, which has it as the active one. */
  async run<Performed extends { outcome: Outcome }>(work: () => Promise<Performed>): Promise<Performed> {
    try {
      const performed = await context.with(this.#context, work);
      this.#tell(performed.outcome);
      return performed;
    } finally {
      this.#span.end();
    }
  }

  #tell({ act, error, errorOrigin }: Outcome): void {
    this.#span.setAttribute('warren.job.state', target(act));
    if (error !== undefined && act !== 'stop') {
      const [, name = 'Error'] = NAME_OF_ERROR.exec(error) ?? [];
      this.#span.setAttribute('error.type', name);
      this.#span.setStatus({ code: SpanStatusCode.ERROR, message: error });
      const stack = errorOrigin?.stack;
      this.#span.recordException({
        name,
        message: error,
        ...(stack === undefined ? {} : { stack }),
      });
    }
  }
}

/** In a thread or a process of a handler: the span that its worker has made for the attempt is the active one. */
export function withinAttempt<Result>({ trace: stored }: Claim, work: () => Result): Result {
  const { trace_id, span_id, trace_flags } = stored ?? {};
  if (trace_id === undefined || span_id === undefined || trace_flags === undefined) return work();
  return context.with(remoteContext({ trace_id, span_id, trace_flags }, context.active()), work);
}
