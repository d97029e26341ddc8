import { afterEach, expect, test } from 'vitest';
import { publishEvent } from '../../src/shared/events.ts';
import type { GaugeSource, Metrics } from '../../src/shared/metrics.ts';
import { createMetrics } from '../../src/shared/metrics.ts';

let metrics: Metrics | undefined;

afterEach(() => {
  metrics?.stop();
});

/** The lines of the samples with this name. */
async function samples(name: string): Promise<string[]> {
  const text = (await metrics?.render()) ?? '';
  return text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
}

const job = { jobId: '7', type: 'process-order', queue: 'default', attempt: 1 };

test('what happens in the process is counted from the moment when the metrics were made until they are stopped', async () => {
  publishEvent('publish.confirmed', { count: 100 });
  metrics = createMetrics([]);
  publishEvent('publish.confirmed', { count: 2 });
  publishEvent('publish.confirmed', { count: 1 });
  metrics.stop();
  publishEvent('publish.confirmed', { count: 100 });
  expect(await samples('warren_publishes_confirmed_total')).toEqual(['warren_publishes_confirmed_total 3']);
});

test('an attempt is running between its start and its end, then counted by its outcome', async () => {
  metrics = createMetrics([]);
  const labels = 'type="process-order",queue="default"';
  publishEvent('attempt.started', { ...job, waitMs: 1_500 });
  expect(await samples('warren_attempts_running')).toEqual([`warren_attempts_running{${labels}} 1`]);
  publishEvent('attempt.finished', { ...job, outcome: 'completed', durationMs: 20, error: undefined });
  expect(await samples('warren_attempts_running')).toEqual([`warren_attempts_running{${labels}} 0`]);
  expect(await samples('warren_attempts_finished_total')).toEqual([
    `warren_attempts_finished_total{${labels},outcome="completed"} 1`,
  ]);
  expect(await samples('warren_job_wait_seconds_sum')).toEqual([
    `warren_job_wait_seconds_sum{${labels}} 1.5`,
  ]);
});

test('only reconnects are counted, of either server', async () => {
  metrics = createMetrics([]);
  for (const reconnect of [false, true, true])
    publishEvent('broker.connected', { connection: 'x', reconnect });
  for (const owner of ['1', '1']) publishEvent('presence.held', { owner });
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
  metrics = createMetrics([flaky, steady, silent]);
  expect(await samples('flaky')).toEqual(['flaky{queue="a"} 1', 'flaky{queue="b"} 0']);
  value = 2;
  expect(await samples('flaky')).toEqual(['flaky{queue="a"} 2', 'flaky{queue="b"} 0']);
  isAway = true;
  expect(await samples('flaky')).toEqual([]);
  expect(await samples('silent')).toEqual([]);
  expect(await samples('steady')).toEqual(['steady 7']);
});
