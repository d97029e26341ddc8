/**
 * What of a request's trace travels with each of its jobs: a small header is a large one where it is kept ten thousand times.
 */
import type { CarriedTrace } from '#shared/job/trace.ts';
import { withoutBaggage } from '#shared/job/trace.ts';
import type { BodyReservation } from './body-budget.ts';
import { MAX_BATCH_BYTES } from './contract/job.ts';

/**
 * The trace for each of so many jobs, without the baggage where that has more bytes for all of them than their body may have, or than there is room for
 * now: telling where a job comes from must not refuse it. `reservation` grows by what the baggage takes.
 */
export function traceOfEach(
  trace: CarriedTrace | undefined,
  { jobs, reservation }: { jobs: number; reservation: BodyReservation },
): CarriedTrace | undefined {
  if (trace?.baggage === undefined) return trace;
  const bytes = trace.baggage.length * jobs; // it is ASCII
  return bytes <= MAX_BATCH_BYTES && reservation.tryAdd(bytes) ? trace : withoutBaggage(trace);
}
