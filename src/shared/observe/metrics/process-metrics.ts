/**
 * The metrics of the process itself, one registry however many parts it runs: the usual `process_*` and `nodejs_*`, the event loop's delay, and which
 * program this is.
 *
 * The library's own two samplers of the event loop wake the process 110 times a second, and cannot be stopped. They are given an interval that never
 * comes, and their metrics are left out; ours takes ten samples a second, natively, which costs half a thousandth of a processor.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { collectDefaultMetrics, Gauge, Registry } from '@prometheus-io/client';
import { version } from '../../base/version.ts';

const SAMPLE_MS = 100;
/** The longest that a timer can wait, in milliseconds. */
const NEVER_MS = 2_147_483_647;
const LEFT_OUT = /^nodejs_eventloop_/;

let registry: Registry | undefined;

/** Made by the first who asks, because from then on it costs something. */
export function processRegistry(): Registry {
  registry ??= createRegistry();
  return registry;
}

function createRegistry(): Registry {
  const created = new Registry();
  collectDefaultMetrics({
    register: created,
    eventLoopMonitoringPrecision: NEVER_MS,
    eventLoopUtilizationTimeout: NEVER_MS,
  });
  for (const { name } of created.getMetricsAsArray()) {
    if (LEFT_OUT.test(name)) created.removeSingleMetric(name);
  }
  observeEventLoop(created);
  const labelNames = ['version', 'node'];
  const help = 'Always 1; its labels say which version of Warren this is, and which Node runs it.';
  new Gauge({ name: 'warren_build_info', help, labelNames, registers: [created] }).set(
    { version, node: process.versions.node },
    1,
  );
  return created;
}

/** 99th percentile and maximum since the last scrape. Node's numbers contain the time between two samples, ours do not. */
function observeEventLoop(registry: Registry): void {
  const delay = monitorEventLoopDelay({ resolution: SAMPLE_MS });
  delay.enable();
  const toSeconds = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - SAMPLE_MS / 1_000);
  new Gauge({
    name: 'warren_event_loop_delay_seconds',
    help: 'How late the event loop ran its timers since the last scrape: 99th percentile, and maximum (quantile 1).',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      this.set({ quantile: '0.99' }, toSeconds(delay.percentile(99)));
      this.set({ quantile: '1' }, toSeconds(delay.max));
      delay.reset();
    },
  });
}
