/**
 * Prometheus metrics of a process, made from its events and, at the time of the scrape, from gauges that it is given.
 * A gauge that cannot be read is left out of the answer: a missing number is better than a wrong one.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from '@prometheus-io/client';
import { withDeadline } from './backoff.ts';
import { Unavailable } from './errors.ts';
import { subscribe } from './events.ts';

/** Reads a gauge: one number, or one per label value. `labels` names the labels. */
export interface GaugeSource {
  name: string;
  help: string;
  labels?: readonly string[];
  read: () => Promise<readonly GaugeReading[]> | readonly GaugeReading[];
}

export interface GaugeReading {
  labels?: Record<string, string>;
  value: number;
}

export interface Metrics {
  /** The Prometheus text format. */
  render(): Promise<string>;
  contentType: string;
  stop(): void;
}

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const READ_DEADLINE_MS = 1_000;

export function createMetrics(sources: readonly GaugeSource[]): Metrics {
  const registry = new Registry();
  const unsubscribes = [...countJobs(registry), ...countMessages(registry)];
  const eventLoop = observeEventLoop(registry);
  for (const source of sources) addSource(registry, source);
  return {
    render: () => registry.metrics(),
    contentType: registry.contentType,
    stop: () => {
      eventLoop.disable();
      for (const unsubscribe of unsubscribes) unsubscribe();
    },
  };
}

function countJobs(registry: Registry): (() => void)[] {
  const registers = [registry];
  const labelNames = ['type', 'queue'] as const;
  const enqueued = new Counter({
    name: 'warren_jobs_enqueued_total',
    help: 'Jobs committed by this process.',
    labelNames,
    registers,
  });
  const finished = new Counter({
    name: 'warren_attempts_finished_total',
    help: 'Attempts ended in this process, by the state that the job was to have then.',
    labelNames: [...labelNames, 'outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'warren_attempt_duration_seconds',
    help: 'Time that handlers took.',
    labelNames,
    buckets: SECONDS,
    registers,
  });
  const wait = new Histogram({
    name: 'warren_job_wait_seconds',
    help: 'Time from the moment a job was due to the start of its handler.',
    labelNames,
    buckets: SECONDS,
    registers,
  });
  const running = new Gauge({
    name: 'warren_attempts_running',
    help: 'Handlers at work now.',
    labelNames,
    registers,
  });
  const abandoned = new Gauge({
    name: 'warren_attempts_abandoned',
    help: 'Handlers that ignore their abort signal and go on.',
    registers,
  });
  const fenced = new Counter({
    name: 'warren_completions_fenced_total',
    help: 'Outcomes refused: the attempt had lost its claim.',
    registers,
  });
  return [
    subscribe('job.enqueued', ({ type, queue, count }) => enqueued.inc({ type, queue }, count)),
    subscribe('attempt.started', ({ type, queue, waitMs }) => {
      running.inc({ type, queue });
      wait.observe({ type, queue }, Math.max(0, waitMs) / 1_000);
    }),
    subscribe('attempt.finished', ({ type, queue, outcome, durationMs }) => {
      running.dec({ type, queue });
      finished.inc({ type, queue, outcome });
      duration.observe({ type, queue }, durationMs / 1_000);
    }),
    subscribe('attempt.abandoned', ({ running: goesOn }) => abandoned.inc(goesOn ? 1 : -1)),
    subscribe('attempt.fenced', () => fenced.inc()),
  ];
}

function countMessages(registry: Registry): (() => void)[] {
  const registers = [registry];
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name, help, labelNames, registers });
  const confirmed = counter('warren_publishes_confirmed_total', 'Messages that the broker has in a queue.');
  const returned = counter(
    'warren_publishes_returned_total',
    'Messages that came back: the broker had no queue.',
    ['queue'],
  );
  const failed = counter(
    'warren_publishes_failed_total',
    'Publishes without a confirm; the relay repeats them.',
  );
  const received = counter('warren_deliveries_total', 'Deliveries from the broker.', ['queue']);
  const redelivered = counter('warren_redeliveries_total', 'Deliveries that had been delivered before.', [
    'queue',
  ]);
  const suppressed = counter('warren_deliveries_suppressed_total', 'Deliveries that started nothing.', [
    'reason',
  ]);
  const dead = counter('warren_dead_letters_total', 'Deliveries put into warren.dead.', ['queue']);
  const reconnects = counter('warren_reconnects_total', 'Connections opened again.', ['peer']);
  const retried = counter('warren_writes_retried_total', 'Writes to Postgres that were tried again.', [
    'what',
  ]);
  const maintained = counter(
    'warren_maintenance_jobs_total',
    'Jobs relayed, promoted or rescued by this process.',
    ['task'],
  );
  let heldBefore = false;
  return [
    subscribe('publish.confirmed', ({ count }) => confirmed.inc(count)),
    subscribe('publish.returned', ({ queue }) => returned.inc({ queue })),
    subscribe('publish.failed', () => failed.inc()),
    subscribe('delivery.received', ({ queue, redelivered: again }) => {
      received.inc({ queue });
      if (again) redelivered.inc({ queue });
    }),
    subscribe('delivery.suppressed', ({ reason }) => suppressed.inc({ reason })),
    subscribe('delivery.dead-lettered', ({ queue }) => dead.inc({ queue })),
    subscribe('broker.connected', ({ reconnect }) => reconnect && reconnects.inc({ peer: 'rabbitmq' })),
    subscribe('presence.held', () => {
      if (heldBefore) reconnects.inc({ peer: 'postgres' });
      heldBefore = true;
    }),
    subscribe('write.retried', ({ what }) => retried.inc({ what })),
    subscribe('maintenance.done', ({ task, count }) => maintained.inc({ task }, count)),
  ];
}

/** 99th percentile and maximum of the delay since the last scrape, in seconds. */
function observeEventLoop(registry: Registry): { disable: () => void } {
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  new Gauge({
    name: 'warren_event_loop_delay_seconds',
    help: 'Delay of the event loop since the last scrape.',
    labelNames: ['quantile'],
    registers: [registry],
    collect() {
      this.set({ quantile: '0.99' }, delay.percentile(99) / 1e9);
      this.set({ quantile: '1' }, delay.max / 1e9);
      delay.reset();
    },
  });
  return { disable: () => delay.disable() };
}

function addSource(registry: Registry, { name, help, labels = [], read }: GaugeSource): void {
  new Gauge({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
    async collect() {
      this.reset();
      try {
        const readings = await withDeadline(
          Promise.resolve(read()),
          READ_DEADLINE_MS,
          () => new Unavailable('late', name),
        );
        for (const { labels: values = {}, value } of readings) this.set(values, value);
      } catch {
        if (labels.length === 0) this.remove(); // its source is away: no number, where `reset` has left a 0
      }
    },
  });
}
