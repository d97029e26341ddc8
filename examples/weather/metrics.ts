/**
 * What the programs of the weather measure. Each has the metrics that it makes itself.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from '@prometheus-io/client';

export function createRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  return registry;
}

export function edgeMetrics(registry: Registry) {
  return new Histogram({
    name: 'weather_request_duration_seconds',
    help: 'Time from the arrival of a request at the edge to its answer, by route and status.',
    labelNames: ['route', 'status'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10],
    registers: [registry],
  });
}

export function gatewayMetrics(registry: Registry, totals: () => Promise<{ redis: number; valkey: number }>) {
  const counted = new Gauge({
    name: 'weather_reports_counted',
    help: 'Reports that are counted, by side: redis for the stream, valkey for the jobs.',
    labelNames: ['side'],
    registers: [registry],
    collect: async () => {
      const { redis, valkey } = await totals();
      counted.set({ side: 'redis' }, redis);
      counted.set({ side: 'valkey' }, valkey);
    },
  });
  return new Counter({
    name: 'weather_reports_total',
    help: 'Reports at the gateway: accepted, in the stream and as a job; refused, as they are wrong; failed, where one of the two is not safe.',
    labelNames: ['outcome'],
    registers: [registry],
  });
}

export function readerMetrics(registry: Registry) {
  const entries = new Counter({
    name: 'weather_stream_entries_total',
    help: 'Messages of the stream that the reader has dealt with: counted, repeated (counted before), or unreadable.',
    labelNames: ['outcome'],
    registers: [registry],
  });
  const offset = new Gauge({
    name: 'weather_stream_offset',
    help: 'The place in the stream up to which reports are counted.',
    registers: [registry],
  });
  return { entries, offset };
}
