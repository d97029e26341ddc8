import { afterEach, expect, test } from 'vitest';
import { Events } from '../../../../src/shared/observe/events.ts';
import type { GaugeSource } from '../../../../src/shared/observe/metrics/gauge-source.ts';
import type { Metrics } from '../../../../src/shared/observe/metrics/metrics.ts';
import { createMetrics } from '../../../../src/shared/observe/metrics/metrics.ts';
import type { ChoreOptions } from '../../../../src/worker/maintenance/chores.ts';
import { createChores } from '../../../../src/worker/maintenance/chores.ts';
import { queueNames } from '../../../support/shop.ts';

const types = ['process-order'];
const events = new Events();
let metrics: Metrics | undefined;

afterEach(() => {
  metrics?.stop();
});

/** The lines of the samples with this name, those that stand at 0 left out. */
async function samples(name: string): Promise<string[]> {
  return (await allSamples(name)).filter((line) => !line.endsWith(' 0'));
}

async function allSamples(name: string): Promise<string[]> {
  const text = (await metrics?.render()) ?? '';
  return text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

const job = { jobId: '7', type: 'process-order', queue: 'default', attempt: 1 };

test('what happens in the instance is counted from the moment when the metrics were made until they are stopped', async () => {
  events.publish('publish.confirmed', { count: 100 });
  metrics = createMetrics({ events, types, queues: queueNames, gauges: [] });
  events.publish('publish.confirmed', { count: 2 });
  events.publish('publish.confirmed', { count: 1 });
  metrics.stop();
  events.publish('publish.confirmed', { count: 100 });
  expect(await samples('warren_publishes_confirmed_total')).toEqual(['warren_publishes_confirmed_total 3']);
});

test('requests that end in a 503 are counted by code, from 0 on', async () => {
  metrics = createMetrics({ events, types, queues: queueNames, gauges: [] });
  const name = 'warren_http_unavailable_total';
  expect(await allSamples(name)).toContain(`${name}{code="postgres_unavailable"} 0`);
  events.publish('request.unavailable', { code: 'postgres_unavailable', error: new Error('away') });
  expect(await samples(name)).toEqual([`${name}{code="postgres_unavailable"} 1`]);
});

test('every chore of the leader has counters that stand at 0 before its first round', async () => {
  metrics = createMetrics({ events, types, queues: queueNames, gauges: [] });
  const chores = createChores({ events, kept: {} } as ChoreOptions);
  for (const name of ['warren_maintenance_jobs_total', 'warren_maintenance_failures_total']) {
    const expected = [...chores.keys()].map((task) => `${name}{task="${task}"} 0`);
    expect((await allSamples(name)).sort()).toEqual(expected.sort());
  }
});

test('an attempt is running between its start and its end, then counted by its outcome', async () => {
  metrics = createMetrics({ events, types, queues: queueNames, gauges: [] });
  const labels = 'type="process-order",queue="default"';
  events.publish('attempt.started', { ...job, waitMs: 1_500 });
  expect(await samples('warren_attempts_running')).toEqual([`warren_attempts_running{${labels}} 1`]);
  events.publish('attempt.finished', { ...job, outcome: 'completed', durationMs: 20, error: undefined });
  expect(await samples('warren_attempts_running')).toEqual([]);
  expect(await samples('warren_attempts_finished_total')).toEqual([
    `warren_attempts_finished_total{${labels},outcome="completed"} 1`,
  ]);
  expect(await samples('warren_job_wait_seconds_sum')).toEqual([
    `warren_job_wait_seconds_sum{${labels}} 1.5`,
  ]);
});

test.each([
  'warren_jobs_finished_total{type="process-order",queue="default",state="discarded"}',
  'warren_jobs_finished_total{type="unknown",queue="unknown",state="discarded"}',
  'warren_attempts_finished_total{type="process-order",queue="reports",outcome="retryable"}',
  'warren_attempts_running{type="process-order",queue="default"}',
  'warren_dead_letters_total{queue="webhooks"}',
  'warren_publishes_returned_total{queue="critical"}',
  'warren_publishes_failed_total',
  'warren_reconnects_total{peer="rabbitmq"}',
  'warren_maintenance_failures_total{task="relay"}',
  'warren_completions_fenced_total',
  'warren_jobs_taken_over_total',
])('%s stands at 0 before its first event', async (sample) => {
  metrics = createMetrics({ events, types, queues: queueNames, gauges: [] });
  expect(await metrics.render()).toContain(`\n${sample} 0\n`);
});

test('every end of a job is counted; types and queues that nobody knows count together', async () => {
  metrics = createMetrics({ events, types, queues: queueNames, gauges: [] });
  const ended = { jobId: '7', queue: 'default', state: 'discarded', error: 'no' } as const;
  events.publish('job.ended', { ...ended, type: 'process-order' });
  events.publish('job.ended', { ...ended, type: 'made-up-1' });
  events.publish('job.ended', { ...ended, type: 'made-up-2', queue: 'made-up' });
  expect(await samples('warren_jobs_finished_total')).toEqual([
    'warren_jobs_finished_total{type="process-order",queue="default",state="discarded"} 1',
    'warren_jobs_finished_total{type="unknown",queue="default",state="discarded"} 1',
    'warren_jobs_finished_total{type="unknown",queue="unknown",state="discarded"} 1',
  ]);
});

test('the process, Node, the event loop and the version are told of, once', async () => {
  metrics = createMetrics({ events, types, queues: queueNames, gauges: [] });
  const text = await metrics.render();
  for (const name of [
    'process_cpu_seconds_total',
    'process_resident_memory_bytes',
    'nodejs_heap_size_used_bytes',
    'warren_event_loop_delay_seconds',
  ]) {
    expect(text.match(new RegExp(`^# TYPE ${name} `, 'gm'))).toHaveLength(1);
  }
  expect(text).toMatch(/\nwarren_build_info\{version="\d+\.\d+\.\d+",node="24\.[\d.]+"\} 1\n/);
  expect(text).not.toContain('nodejs_eventloop_');
});

test('only reconnects are counted, of either server', async () => {
  metrics = createMetrics({ events, types, queues: queueNames, gauges: [] });
  for (const reconnect of [false, true, true])
    events.publish('broker.connected', { connection: 'x', reconnect });
  for (const owner of ['1', '1']) events.publish('presence.held', { owner });
  expect(await samples('warren_reconnects_total')).toEqual([
    'warren_reconnects_total{peer="rabbitmq"} 2',
    'warren_reconnects_total{peer="postgres"} 1',
  ]);
});

test('a gauge is read at the time of the scrape; one that cannot be read is left out, and the others are not', async () => {
  let value = 1;
  let isAway = false;
  const flaky: GaugeSource = {
    name: 'flaky',
    help: 'Of a server.',
    labels: ['queue'],
    read: async () => {
      if (isAway) throw new Error('away');
      return [
        { labels: { queue: 'a' }, value },
        { labels: { queue: 'b' }, value: 0 },
      ];
    },
  };
  const steady: GaugeSource = { name: 'steady', help: 'Of the process.', read: () => [{ value: 7 }] };
  const silent: GaugeSource = { name: 'silent', help: 'Never answers.', read: () => new Promise(() => {}) };
  metrics = createMetrics({ events, types, queues: queueNames, gauges: [flaky, steady, silent] });
  expect(await allSamples('flaky')).toEqual(['flaky{queue="a"} 1', 'flaky{queue="b"} 0']);
  value = 2;
  expect(await allSamples('flaky')).toEqual(['flaky{queue="a"} 2', 'flaky{queue="b"} 0']);
  isAway = true;
  expect(await samples('flaky')).toEqual([]);
  expect(await samples('silent')).toEqual([]);
  expect(await samples('steady')).toEqual(['steady 7']);
});
