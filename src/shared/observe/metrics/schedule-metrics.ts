/**
 * What becomes of the ticks of schedules, by commits of this process as the leader. Not by schedule: their names come at run time, without a bound.
 */
import type { Registry } from '@prometheus-io/client';
import { Histogram } from '@prometheus-io/client';
import { tickOutcomes } from '../../job/schedule.ts';
import type { Events } from '../events.ts';
import { createCounter } from './counter.ts';

const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 3_600];

export function countTicks(registry: Registry, events: Events): (() => void)[] {
  const ticks = createCounter(registry, {
    name: 'warren_schedule_ticks_total',
    help: 'Ticks of schedules that this process has decided as the leader. Many that were missed in one row of the history count as one.',
    label: { name: 'outcome', values: tickOutcomes },
  });
  const lateness = new Histogram({
    name: 'warren_schedule_lateness_seconds',
    help: 'Time from a tick to the commit of its job.',
    buckets: SECONDS,
    registers: [registry],
  });
  return [
    events.subscribe('schedule.ticked', ({ outcome, lateMs }) => {
      ticks.inc({ outcome });
      if (outcome === 'enqueued') lateness.observe(Math.max(0, lateMs) / 1_000);
    }),
  ];
}
