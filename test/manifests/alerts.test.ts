// Every alert fires when it should, at the first occurrence too, is silent otherwise, names metrics that exist, and has its paragraph in the docs.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { describePrograms } from '../../dev/metrics-page.ts';
import type { AlertRule, InputSeries } from '../support/promtool.ts';
import { checkRules, findPromtoolObstacle, testRules } from '../support/promtool.ts';

const root = resolve(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(resolve(root, path), 'utf8');
const rules: AlertRule[] = parse(
  read('k8s/components/service-monitor/prometheus-rule.yaml'),
).spec.groups.flatMap(({ rules: ofGroup }: { rules: AlertRule[] }) => ofGroup);

/** `fires`: the series that raise it, and the labels of the alert then. `silent`: series that look alike and must not. */
interface Example {
  fires: readonly InputSeries[];
  labels: Record<string, string>;
  silent: readonly InputSeries[];
}

const namespace = 'shop';
const pod = 'w-1';
const at = `namespace="${namespace}",pod="${pod}"`;
const series = (name: string, values: string): InputSeries => ({ series: name, values });
/** The first event of its kind: the counter stood at 0 before. */
const FIRST = '0x15 1x15';
const NONE = '5x40';
/** The usual shape: one series, raised by one value and not by another. */
const example = (name: string, fires: string, silent: string, labels: Record<string, string>): Example => ({
  fires: [series(name, fires)],
  silent: [series(name, silent)],
  labels,
});
/** Of this job nobody answers in one namespace, or its targets are no more; all is well in the other. */
function gone(job: string): Example {
  const up = (more: string, values: string) => series(`up{job="${job}",${more}}`, values);
  const elsewhere = up('namespace="staging",pod="w-1"', '1x40');
  return {
    fires: [up(at, '1x5 0x3 _x40'), up('namespace="shop",pod="w-2"', '1x8 _x40'), elsewhere],
    silent: [up(at, '1x5 0x40'), up('namespace="shop",pod="w-2"', '1x40'), elsewhere],
    labels: { namespace },
  };
}
const connected = (value: number) => series(`warren_broker_connected{${at}}`, `${value}x40`);
const taken = (values: string) => series(`warren_jobs_taken_over_total{${at}}`, values);
const rescued = (values: string) => series(`warren_maintenance_jobs_total{${at},task="rescuer"}`, values);

const examples: Record<string, Example> = {
  WarrenNoWorker: gone('warren-worker'),
  WarrenNoApi: gone('warren-api'),
  WarrenNoLeader: {
    fires: [
      series(`warren_worker_leader{${at}}`, '0x40'),
      series(`warren_worker_leader{namespace="shop",pod="w-2"}`, '0x40'),
    ],
    silent: [
      series(`warren_worker_leader{${at}}`, '0x40'),
      series(`warren_worker_leader{namespace="shop",pod="w-2"}`, '1x40'),
    ],
    labels: { namespace },
  },
  WarrenJobsWait: example(
    `warren_queue_oldest_available_seconds{${at},queue="default"}`,
    '310+60x40',
    '290x40',
    {
      namespace,
      queue: 'default',
    },
  ),
  WarrenQueueUnserved: {
    fires: [
      series(`warren_queue_consumers{${at},queue="reports"}`, '0x40'),
      series(`warren_jobs{${at},queue="reports",state="available"}`, '1x40'),
    ],
    silent: [
      series(`warren_queue_consumers{${at},queue="reports"}`, '0x40'),
      series(`warren_jobs{${at},queue="reports",state="available"}`, '0x40'),
      series(`warren_queue_consumers{${at},queue="dead"}`, '0x40'),
      series(`warren_jobs{${at},queue="dead",state="available"}`, '1x40'),
    ],
    labels: { namespace, queue: 'reports' },
  },
  WarrenJobsUnpublished: {
    fires: [series(`warren_jobs_unpublished{${at}}`, '3x40'), connected(0)],
    silent: [series(`warren_jobs_unpublished{${at}}`, '3x18 0x3 3x3 0x9'), connected(1)],
    labels: { namespace },
  },
  WarrenJobsOfUnknownType: example(
    `warren_jobs_unknown_type{${at},queue="default",type="gone"}`,
    '3x40',
    '0x40',
    { namespace, queue: 'default', type: 'gone' },
  ),
  WarrenJobsDiscarded: example(
    `warren_jobs_finished_total{${at},type="send",queue="default",state="discarded"}`,
    FIRST,
    NONE,
    { namespace, type: 'send' },
  ),
  WarrenAttemptsFail: {
    fires: [
      series(`warren_attempts_finished_total{${at},type="send",outcome="completed"}`, '0+7x40'),
      series(`warren_attempts_finished_total{${at},type="send",outcome="retryable"}`, '0+3x40'),
    ],
    silent: [
      series(`warren_attempts_finished_total{${at},type="send",outcome="completed"}`, '0+9x40'),
      series(`warren_attempts_finished_total{${at},type="send",outcome="retryable"}`, '0+1x40'),
      series(`warren_attempts_finished_total{${at},type="idle",outcome="retryable"}`, '0x40'),
    ],
    labels: { namespace, type: 'send' },
  },
  WarrenJobsTakenOver: {
    fires: [taken(NONE), rescued(FIRST)],
    silent: [taken(NONE), rescued(NONE), series(`warren_maintenance_jobs_total{${at},task="relay"}`, FIRST)],
    labels: { namespace },
  },
  WarrenCrashLoop: example(
    `process_start_time_seconds{${at},job="warren-worker"}`,
    '1x5 2x5 3x5 4x15',
    '1x15 2x15',
    { namespace, pod },
  ),
  WarrenBrokerAway: {
    fires: [connected(0)],
    silent: [connected(0), series('warren_broker_connected{namespace="shop",pod="w-2"}', '1x40')],
    labels: { namespace },
  },
  WarrenFallbackLane: {
    fires: [series(`warren_worker_lane{${at},lane="postgres"}`, '1x40'), connected(0)],
    silent: [series(`warren_worker_lane{${at},lane="postgres"}`, '1x40')], // no broker is configured
    labels: { namespace, pod },
  },
  WarrenConsumersMissing: {
    fires: [series(`warren_worker_consumers{${at},state="missing"}`, '2x40'), connected(1)],
    silent: [series(`warren_worker_consumers{${at},state="missing"}`, '2x40'), connected(0)],
    labels: { namespace, pod },
  },
  WarrenDeadLetters: example(`warren_dead_letters_total{${at},queue="default"}`, FIRST, NONE, {
    namespace,
    queue: 'default',
  }),
  WarrenPublishesReturned: example(`warren_publishes_returned_total{${at},queue="default"}`, FIRST, NONE, {
    namespace,
    queue: 'default',
  }),
  WarrenPresenceLost: example(`warren_worker_present{${at}}`, '1x15 0x15', '1x40', { namespace, pod }),
  WarrenCompletionsFenced: example(`warren_completions_fenced_total{${at}}`, FIRST, NONE, { namespace }),
  WarrenAttemptsAbandoned: example(`warren_attempts_abandoned{${at}}`, '1x40', '0x40', { namespace, pod }),
  WarrenArgumentsWait: example(`warren_worker_args_waiting{${at}}`, '4x40', '4 0 4 0 4 0 4 0 4 0x30', {
    namespace,
    pod,
  }),
  WarrenEventLoopBlocked: example(
    `warren_event_loop_delay_seconds{${at},quantile="0.99"}`,
    '0.3x40',
    '0.2x40',
    { namespace, pod },
  ),
  WarrenLogLinesDropped: example(`warren_log_lines_dropped_total{${at}}`, FIRST, NONE, { namespace, pod }),
  WarrenPostgresPoolExhausted: example(`warren_postgres_pool_exhausted_total{${at}}`, FIRST, NONE, {
    namespace,
    pod,
  }),
  WarrenStatementsWait: example(`warren_postgres_statements_waiting{${at}}`, '2x40', '2 0 2 0 2 0 2x3 0x30', {
    namespace,
    pod,
  }),
  WarrenApiUnavailable: {
    fires: [series(`warren_http_unavailable_total{${at},code="postgres_timeout"}`, '0x5 1+1x30')],
    silent: [series(`warren_http_unavailable_total{${at},code="starting"}`, '0x5 1+1x30')],
    labels: { namespace, code: 'postgres_timeout' },
  },
  WarrenApiFails: {
    fires: [
      series(`http_server_request_duration_seconds_count{${at},route="/v1/jobs",status="500"}`, '0+1x40'),
    ],
    silent: [
      series(`http_server_request_duration_seconds_count{${at},route="/v1/jobs",status="503"}`, '0+1x40'),
    ],
    labels: { namespace, route: '/v1/jobs' },
  },
  WarrenMaintenanceFails: example(
    `warren_maintenance_failures_total{${at},task="relay"}`,
    '0+1x40',
    '0x15 1x20',
    {
      namespace,
      task: 'relay',
    },
  ),
  WarrenAtMaximum: {
    fires: [
      series(
        'kube_horizontalpodautoscaler_status_current_replicas{horizontalpodautoscaler="warren-worker"}',
        '8x60',
      ),
      series(
        'kube_horizontalpodautoscaler_spec_max_replicas{horizontalpodautoscaler="warren-worker"}',
        '8x60',
      ),
    ],
    silent: [
      series(
        'kube_horizontalpodautoscaler_status_current_replicas{horizontalpodautoscaler="warren-worker"}',
        '7x60',
      ),
      series(
        'kube_horizontalpodautoscaler_spec_max_replicas{horizontalpodautoscaler="warren-worker"}',
        '8x60',
      ),
    ],
    labels: { horizontalpodautoscaler: 'warren-worker' },
  },
};

const obstacle = await findPromtoolObstacle();
/** Long enough for the longest `for`; those that look at counters have seen their first event in the minutes before. */
const momentOf = ({ for: pending = '0m' }: AlertRule) => (Number.parseInt(pending, 10) >= 15 ? '35m' : '25m');

test('every alert has an example here', () => {
  expect(Object.keys(examples)).toEqual(rules.map(({ alert }) => alert));
});

describe.skipIf(obstacle !== undefined)(`promtool${obstacle === undefined ? '' : `: ${obstacle}`}`, () => {
  test('accepts the rules with their texts', async () => {
    expect(await checkRules(rules)).toBe('');
  });

  test.each(rules)('$alert fires, and is silent where it should be', { timeout: 120_000 }, async (rule) => {
    const { fires, silent, labels } = examples[rule.alert] as Example;
    const { alert } = rule;
    expect(await testRules(rules, { alert, input: fires, at: momentOf(rule), fires: [labels] })).toBe('');
    expect(await testRules(rules, { alert, input: silent, at: momentOf(rule), fires: [] })).toBe('');
  });
});

/** What an alert says beside its example. */
const more: [what: string, alert: string, input: InputSeries[], fires: Record<string, string>[]][] = [
  ['no worker was ever seen', 'WarrenNoWorker', [], [{ job: 'warren-worker' }]],
  ['no API was ever seen', 'WarrenNoApi', [], [{ job: 'warren-api' }]],
  [
    'jobs wait without a message and no broker is configured',
    'WarrenJobsUnpublished',
    [series(`warren_jobs_unpublished{${at}}`, '3x40')],
    [],
  ],
  [
    'jobs were taken over by the worker that got their message',
    'WarrenJobsTakenOver',
    [taken(FIRST), rescued(NONE)],
    [{ namespace }],
  ],
];

test.skipIf(obstacle !== undefined).each(more)(
  '%s: %s',
  { timeout: 120_000 },
  async (_, alert, input, fires) => {
    expect(await testRules(rules, { alert, input, at: '25m', fires })).toBe('');
  },
);

test('every metric of an alert is one that the programs expose', () => {
  const { api, worker } = describePrograms();
  const names = [...api, ...worker].flatMap(({ name, type }) =>
    type === 'histogram' ? [`${name}_count`, `${name}_sum`, `${name}_bucket`] : [name],
  );
  for (const { alert, expr } of rules) {
    const named = expr.match(/\b(?:warren|process|nodejs|http)_[a-z_]+(?=[{[\s)])/g) ?? [];
    expect(named.filter((name) => !names.includes(name))).toEqual([]);
    if (!/\bup\{|\bkube_/.test(expr)) expect(`${alert} ${named.length > 0}`).toBe(`${alert} true`);
  }
});

test('every alert has its paragraph in docs/alerts.md, which its annotation names, in the same order', () => {
  const sections = read('docs/alerts.md').split(/^## /m).slice(1);
  expect(sections.map((section) => section.split('\n')[0])).toEqual(rules.map(({ alert }) => alert));
  for (const [index, { alert, annotations }] of rules.entries()) {
    expect(annotations['runbook']).toBe(`docs/alerts.md#${alert.toLowerCase()}`);
    for (const part of ['**What it means.** ', '**What to look at.** ', '**What to do.** '])
      expect(sections[index]).toContain(part);
  }
});
