/**
 * What follows from the insert of jobs, once it is committed: it is told, what can run is published, and who is held is looked at.
 */
import type { Publishable } from '#shared/job/publishable.ts';
import type { Events } from '#shared/observe/events.ts';
import type { InsertedJob } from '#shared/postgres/statements/insert.ts';
import type { NewJob } from '#shared/postgres/statements/new-rows.ts';

export interface Announcing {
  events: Events;
  /** Publishes jobs that are available and committed. Never throws. */
  publish: (jobs: readonly Publishable[]) => Promise<void>;
  /** Has these gates looked at. */
  admit: (gates: Iterable<string>) => void;
}

/** `rows` in the order of the jobs. */
export function announce(
  { events, publish, admit }: Announcing,
  jobs: readonly NewJob[],
  rows: readonly InsertedJob[],
): void {
  const available: Publishable[] = [];
  const gates = new Set<string>();
  for (const [index, { id, outcome, state, heldFor }] of rows.entries()) {
    const { type, queue, rare } = jobs[index] as NewJob;
    const isUrgent = (rare?.priority ?? 0) > 0;
    if (outcome === 'inserted') events.publish('job.enqueued', { type, queue, count: 1 });
    if (state === 'available') available.push({ id, type, queue, fence: 0, isUrgent });
    if (state === 'held' && heldFor != null) gates.add(heldFor);
  }
  admit(gates);
  // One queue's confirms do not wait for another's, which may be choosing a leader.
  for (const some of Map.groupBy(available, ({ queue }) => queue).values()) void publish(some);
}
