// What several boards have in common: their filters, rates and percentiles, and the panels that each shows for what its filters choose.
import type { Panel, Variable } from './grafana.ts';
import { lines } from './grafana.ts';

export const namespace: Variable = { name: 'namespace', metric: 'warren_build_info', label: 'namespace' };
export const queue: Variable = { name: 'queue', metric: 'warren_jobs', label: 'queue' };
export const type: Variable = { name: 'type', metric: 'warren_attempts_finished_total', label: 'type' };

export const HERE = 'namespace=~"$namespace"';
export const OF_QUEUE = `${HERE},queue=~"$queue"`;
export const OF_TYPE = `${HERE},queue=~"$queue",type=~"$type"`;
export const RATE = '[$__rate_interval]';

/** A percentile of a histogram, by the labels named. */
export const percentile = (share: number, metric: string, where: string, by: string) =>
  `histogram_quantile(${share}, sum by (le${by === '' ? '' : `, ${by}`}) (rate(${metric}_bucket{${where}}${RATE})))`;
export const percentiles = (metric: string, where: string): Panel['series'] => [
  [percentile(0.5, metric, where, ''), 'median'],
  [percentile(0.99, metric, where, ''), '99th percentile'],
];
export const rateBy = (metric: string, where: string, by: string) =>
  `sum by (${by}) (rate(${metric}{${where}}${RATE}))`;

/** Panels that several boards have, for what their filters choose. */
export const throughput = (where: string, by: string): Panel =>
  lines(
    'Enqueued and ended',
    'ops',
    'Where more is enqueued than ends for long, jobs wait longer and longer.',
    [`sum(rate(warren_jobs_enqueued_total{${where}}${RATE}))`, 'enqueued'],
    [rateBy('warren_jobs_finished_total', where, by), `{{${by}}}`],
  );
export const failures = (where: string): Panel =>
  lines(
    'Attempts by outcome',
    'ops',
    'retryable: failed, and tried again. discarded: given up. available: handed back, by a drain say.',
    [rateBy('warren_attempts_finished_total', where, 'outcome'), '{{outcome}}'],
  );
export const waits = (where: string): Panel => ({
  title: 'From due to start',
  meaning:
    'How long jobs waited that started now. Jobs that still wait are not in it: see the age of the oldest.',
  series: percentiles('warren_job_wait_seconds', where),
  unit: 's',
});
export const durations = (where: string): Panel => ({
  title: 'Time that handlers took',
  meaning: 'A service that handlers call and that has become slow is seen here first.',
  series: percentiles('warren_attempt_duration_seconds', where),
  unit: 's',
});
export const oldest: Panel = lines(
  'Age of the oldest waiting job',
  's',
  'The one number to be paged for: it grows whatever the reason is.',
  [`max by (queue) (warren_queue_oldest_available_seconds{${OF_QUEUE}})`, '{{queue}}'],
);
