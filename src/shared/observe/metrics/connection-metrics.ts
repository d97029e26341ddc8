/**
 * The connections of this process to its servers.
 */
import type { Registry } from '@prometheus-io/client';
import type { Events } from '../events.ts';
import { createCounter } from './counter.ts';

const WRITES = ['admit', 'batches', 'claim', 'commit', 'look', 'mark', 'notes', 'pass on', 'record', 'start'];

export function countConnections(registry: Registry, events: Events): (() => void)[] {
  const reconnects = createCounter(registry, {
    name: 'warren_reconnects_total',
    help: 'Connections that were lost and opened again.',
    label: { name: 'peer', values: ['rabbitmq', 'postgres'] },
  });
  const lost = createCounter(registry, {
    name: 'warren_presence_lost_total',
    help: 'How often this worker lost the advisory lock by which others know that it lives.',
  });
  const retried = createCounter(registry, {
    name: 'warren_writes_retried_total',
    help: 'Writes to Postgres that were tried again.',
    label: { name: 'what', values: WRITES },
  });
  const exhausted = createCounter(registry, {
    name: 'warren_postgres_pool_exhausted_total',
    help: 'Statements that were refused because no connection of the pool was free for them in time.',
  });
  let heldBefore = false;
  return [
    events.subscribe(
      'broker.connected',
      ({ reconnect }) => reconnect && reconnects.inc({ peer: 'rabbitmq' }),
    ),
    events.subscribe('presence.held', () => {
      if (heldBefore) reconnects.inc({ peer: 'postgres' });
      heldBefore = true;
    }),
    events.subscribe('presence.lost', () => lost.inc()),
    events.subscribe('pool.exhausted', () => exhausted.inc()),
    events.subscribe('write.retried', ({ what }) => retried.inc({ what })),
  ];
}
