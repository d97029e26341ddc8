/**
 * The span of an attempt (OpenTelemetry's kind CONSUMER), in a trace of its own and linked to the span of the enqueue: a job may run hours later and many times.
 *
 * Guarantees: where the process has no SDK nothing is made. Spans that a handler makes are children of the attempt's, in a thread or a process of its
 * own too, where that has an SDK; the baggage of the job is active there. Of an error it has what the row has, redacted as there.
 */
import type { Context, Span } from '@opentelemetry/api';
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import type { CarriedTrace } from '#shared/job/trace.ts';
import { withoutBaggage } from '#shared/job/trace.ts';
import { target } from '#shared/job/transitions.ts';
import { findTracer, fromTrace, remoteContext, toSpanIds, withBaggage } from '#shared/observe/tracing.ts';
import type { Claim } from '#shared/postgres/statements/claim.ts';
import type { Outcome } from '#shared/postgres/statements/record.ts';

/** `TypeError: …`, or one of Warren's own codes, as `timeout: …` (errorMessage). */
const NAME_OF_ERROR = /^(\w+): /;

/** The claim of a row whose trace has the baggage, too. */
export function setBaggageApart(claim: Claim): Claim {
  const stored: CarriedTrace = claim.trace ?? {};
  return stored.baggage === undefined
    ? claim
    : { ...claim, baggage: stored.baggage, trace: withoutBaggage(stored) };
}

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
  const parent = withBaggage(context.active(), claim.baggage);
  const span = tracer.startSpan(`process ${queue}`, options, parent);
  return new AttemptSpan(span, { claim, parent });
}

export class AttemptSpan {
  /** The claim with the ids of this span in its trace: every line about the attempt has them. */
  readonly claim: Claim;
  readonly #span: Span;
  readonly #context: Context;

  constructor(span: Span, { claim, parent }: { claim: Claim; parent: Context }) {
    this.#span = span;
    this.#context = trace.setSpan(parent, span);
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

/** Where this process has made no span of the attempt: that of its worker, if it has made one, and the baggage of the job are the active ones. */
export function withinAttempt<Result>({ trace: stored, baggage }: Claim, work: () => Result): Result {
  const { trace_id, span_id, trace_flags } = stored ?? {};
  const isTraced = trace_id !== undefined && span_id !== undefined && trace_flags !== undefined;
  if (!isTraced && baggage === undefined) return work();
  const parent = withBaggage(context.active(), baggage);
  return context.with(isTraced ? remoteContext({ trace_id, span_id, trace_flags }, parent) : parent, work);
}
