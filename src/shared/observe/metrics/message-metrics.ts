/**
 * Messages that this process sends to RabbitMQ and gets from it.
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
  'waits',
  'unknown',
  'foreign',
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
    help: 'Messages that the broker has in a queue.',
  });
  const returned = createCounter(registry, {
    name: 'warren_publishes_returned_total',
    help: 'Messages that came back: the broker had no queue for them.',
    label: { name: 'queue', values: queues },
  });
  const failed = createCounter(registry, {
    name: 'warren_publishes_failed_total',
    help: 'Publishes without a confirm; the relay repeats them.',
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
    help: 'Deliveries from the broker.',
    label,
  });
  const redelivered = createCounter(registry, {
    name: 'warren_redeliveries_total',
    help: 'Deliveries that had been delivered before.',
    label,
  });
  const suppressed = createCounter(registry, {
    name: 'warren_deliveries_suppressed_total',
    help: 'Deliveries that started nothing.',
    label: { name: 'reason', values: SUPPRESSIONS },
  });
  const dead = createCounter(registry, {
    name: 'warren_dead_letters_total',
    help: 'Deliveries that went to `warren.dead`.',
    label,
  });
  return [
    events.subscribe('delivery.received', ({ queue, redelivered: again }) => {
      received.inc({ queue });
      if (again) redelivered.inc({ queue });
    }),
    events.subscribe('delivery.suppressed', ({ reason }) => suppressed.inc({ reason })),
    events.subscribe('delivery.dead-lettered', ({ queue }) => dead.inc({ queue })),
  ];
}
