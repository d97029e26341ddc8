/**
 * Prometheus metrics of an instance: counted from its events, and read at the time of the scrape from the gauges that it is given.
 *
 * Guarantees: every counter whose labels can be known beforehand stands at 0 before its first event, so that an alert sees the first one; the values
 * of labels are bounded, whatever comes in from outside.
 */
import { Registry } from '@prometheus-io/client';
import type { Events } from '../events.ts';
import { countConnections } from './connection-metrics.ts';
import type { GaugeSource } from './gauge-source.ts';
import { addGauge } from './gauge-source.ts';
import { countJobs } from './job-metrics.ts';
import { countDroppedLines } from './log-metrics.ts';
import { countMaintenance } from './maintenance-metrics.ts';
import { countMessages } from './message-metrics.ts';
import { processRegistry } from './process-metrics.ts';
import { observeRequests } from './request-metrics.ts';
import { countTicks } from './schedule-metrics.ts';
import { countUnavailable } from './unavailable-metrics.ts';

export interface MetricsOptions {
  /** What is counted. */
  events: Events;
  /** The names of the job types that are known here. Others are counted together, as `unknown`. */
  types: Iterable<string>;
  /** The queues of the application; others are counted as `unknown`. */
  queues: readonly string[];
  gauges: readonly GaugeSource[];
}

export interface MetricDescription {
  name: string;
  type: string;
  help: string;
  labels: readonly string[];
}

export interface Metrics {
  /** The Prometheus text format. */
  render(): Promise<string>;
  contentType: string;
  /** What there is, for the docs. */
  describe(): MetricDescription[];
  stop(): void;
}

export function createMetrics({ events, types, queues, gauges }: MetricsOptions): Metrics {
  const registry = new Registry();
  const unsubscribes = [
    ...countJobs(registry, { events, types, queues }),
    ...countMessages(registry, { events, queues }),
    ...countConnections(registry, events),
    ...countMaintenance(registry, events),
    ...countTicks(registry, events),
    countUnavailable(registry, events),
    countDroppedLines(registry, events),
    ...observeRequests(registry, events),
  ];
  for (const gauge of gauges) addGauge(registry, gauge);
  return {
    render: async () => `${await registry.metrics()}${await processRegistry().metrics()}`,
    contentType: registry.contentType,
    describe: () => [...describe(registry), ...describe(processRegistry())],
    stop: () => {
      for (const unsubscribe of unsubscribes) unsubscribe();
    },
  };
}

function describe(registry: Registry): MetricDescription[] {
  return registry.getMetricsAsArray().map((metric) => ({
    name: metric.name,
    type: String(metric.type),
    help: metric.help,
    labels: 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames : [],
  }));
}
