/**
 * What this process sends to RabbitMQ and gets from it, counted in jobs: a message may carry several.
 */
import type { Registry } from '@prometheus-io/client';
import type { Events } from '../events.ts';
import { createCounter } from './counter.ts';

/** Why a delivery started nothing (`Refusal` in the worker's claimer). */
const SUPPRESSIONS = [
  'twice',
  'ended',
  'not-due',
  'runs-here',
  'runs-elsewhere',
  'other-queue',
  'waits',
  'unknown',
  'foreign',
  'expired',
];

interface Counted {
  events: Events;
  queues: readonly string[];
}

export function countMessages(registry: Registry, counted: Counted): (() => void)[] {
  return [...countPublishes(registry, counted), ...countDeliveries(registry, counted)];
}

function countPublishes(registry: Registry, { events, queues }: Counted): (() => void)[] {
  const confirmed = createCounter(registry, {
    name: 'warren_publishes_confirmed_total',
    help: 'Jobs whose message the broker has in a queue.',
  });
  const returned = createCounter(registry, {
    name: 'warren_publishes_returned_total',
    help: 'Messages that came back: the broker had no queue for them.',
    label: { name: 'queue', values: queues },
  });
  const failed = createCounter(registry, {
    name: 'warren_publishes_failed_total',
    help: 'Jobs whose message was not confirmed; the relay repeats it.',
  });
  return [
    events.subscribe('publish.confirmed', ({ count }) => confirmed.inc(count)),
    events.subscribe('publish.returned', ({ queue }) => returned.inc({ queue })),
    events.subscribe('publish.failed', () => failed.inc()),
  ];
}

function countDeliveries(registry: Registry, { events, queues }: Counted): (() => void)[] {
  const label = { name: 'queue', values: queues };
  const received = createCounter(registry, {
    name: 'warren_deliveries_total',
    help: 'Jobs that the broker delivered; a message may carry several.',
    label,
  });
  const redelivered = createCounter(registry, {
    name: 'warren_redeliveries_total',
    help: 'Jobs in messages that had been delivered before.',
    label,
  });
  const suppressed = createCounter(registry, {
    name: 'warren_deliveries_suppressed_total',
    help: 'Delivered jobs that started nothing here.',
    label: { name: 'reason', values: SUPPRESSIONS },
  });
  const dead = createCounter(registry, {
    name: 'warren_dead_letters_total',
    help: 'Dead letters: what no worker can use went to `warren.dead`.',
    label,
  });
  const passedOn = createCounter(registry, {
    name: 'warren_jobs_passed_on_total',
    help: 'Delivered jobs that waited too long for a slot here and were published again for others.',
    label,
  });
  return [
    events.subscribe('delivery.received', ({ queue, redelivered: again, jobs }) => {
      received.inc({ queue }, jobs);
      if (again) redelivered.inc({ queue }, jobs);
    }),
    events.subscribe('hints.passed-on', ({ queue, count }) => passedOn.inc({ queue }, count)),
    events.subscribe('delivery.suppressed', ({ reason }) => suppressed.inc({ reason })),
    events.subscribe('delivery.dead-lettered', ({ queue }) => dead.inc({ queue })),
  ];
}
