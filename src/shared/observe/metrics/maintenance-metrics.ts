/**
 * What the leader does for the fleet.
 */
import type { Registry } from '@prometheus-io/client';
import type { Events } from '../events.ts';
import { createCounter } from './counter.ts';

/** The chores of the worker's maintenance. */
const TASKS = [
  'scheduler',
  'ticker',
  'relay',
  'expirer',
  'rescuer',
  'reconciler',
  'unserved-types',
  'untold-schedules',
  'pruner',
  'gatekeeper',
  'count-folder',
  'event-pruner',
];

export function countMaintenance(registry: Registry, events: Events): (() => void)[] {
  const label = { name: 'task', values: TASKS };
  const done = createCounter(registry, {
    name: 'warren_maintenance_jobs_total',
    help: 'Jobs that this process has relayed, made available, discarded as expired, rescued or deleted as the leader.',
    label,
  });
  const failed = createCounter(registry, {
    name: 'warren_maintenance_failures_total',
    help: 'Rounds of a chore that failed; they are tried again.',
    label,
  });
  return [
    events.subscribe('maintenance.done', ({ task, count }) => done.inc({ task }, count)),
    events.subscribe('maintenance.failed', ({ task }) => failed.inc({ task })),
  ];
}
