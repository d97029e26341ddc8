/**
 * The spans of the jobs that schedules make (OpenTelemetry's kind PRODUCER), one for each: its row names it, and the attempts are linked to it.
 *
 * Guarantees: where the process has no SDK the jobs are inserted as they are. A tick that comes by itself has a trace of its own; one that somebody asked
 * for belongs to the trace of whoever did.
 */
import type { Span, Tracer } from '@opentelemetry/api';
import { context, SpanKind } from '@opentelemetry/api';
import { findTracer, toTrace } from '#shared/observe/tracing.ts';
import type { InsertedJob } from '#shared/postgres/statements/insert.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';
import { noteError } from '../enqueue-span.ts';

export interface JobOfSchedule {
  schedule: string;
  /** RFC 3339; undefined where somebody asked for it. */
  tick: string | undefined;
  job: NewJob;
}

/** `insert` gets the jobs in their order and answers in it. A span ends when its job is inserted; a rollback after that it does not tell of. */
export async function insertTraced(
  given: readonly JobOfSchedule[],
  insert: (jobs: readonly NewJob[]) => Promise<InsertedJob[]>,
): Promise<InsertedJob[]> {
  const tracer = findTracer();
  if (tracer === undefined) return await insert(given.map(({ job }) => job));
  const traced = given.map((one) => ({ job: one.job, span: startSpan(tracer, one) }));
  try {
    const rows = await insert(
      traced.map(({ job, span }) => ({ ...job, trace: { ...job.trace, ...toTrace(span.spanContext()) } })),
    );
    for (const [index, { id, outcome }] of rows.entries())
      if (outcome === 'inserted') traced[index]?.span.setAttribute('messaging.message.id', id);
    return rows;
  } catch (error) {
    for (const { span } of traced) noteError(span, error);
    throw error;
  } finally {
    for (const { span } of traced) span.end();
  }
}

function startSpan(tracer: Tracer, { schedule, tick, job: { type, queue } }: JobOfSchedule): Span {
  const options = {
    kind: SpanKind.PRODUCER,
    root: tick !== undefined,
    attributes: {
      'messaging.system': 'warren',
      'messaging.operation.name': 'enqueue',
      'messaging.operation.type': 'send',
      'messaging.destination.name': queue,
      'warren.job.type': type,
      'warren.schedule.name': schedule,
      ...(tick === undefined ? {} : { 'warren.schedule.tick': tick }),
    },
  };
  return tracer.startSpan(`send ${queue}`, options, context.active());
}
