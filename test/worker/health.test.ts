import { expect, test } from 'vitest';
import { Misconfigured } from '../../src/shared/base/errors.ts';
import type { Check } from '../../src/shared/base/health-check.ts';
import type { Metrics } from '../../src/shared/observe/metrics/metrics.ts';
import { createHealthApp, serveHealth } from '../../src/worker/health.ts';

const metrics: Metrics = {
  render: async () => 'warren_up 1\n',
  contentType: 'text/plain; version=0.0.4',
  describe: () => [],
  stop: () => {},
};

const withChecks = (checks: () => Promise<Record<string, Check>>) =>
  createHealthApp({ metrics, alive: () => true, checks });

test('/livez answers without looking at anything', async () => {
  const app = withChecks(async () => {
    throw new Error('it looked');
  });
  const response = await app.request('/livez');
  expect(response.status).toBe(200);
  expect(await response.json()).toEqual({ status: 'ok' });
});

test('/livez fails when the process says that it is stuck', async () => {
  const app = createHealthApp({ metrics, alive: () => false, checks: async () => ({}) });
  expect((await app.request('/livez')).status).toBe(500);
});

test('/readyz names every dependency, and fails with one', async () => {
  const good = { postgres: { ok: true }, rabbitmq: { ok: true } };
  const ready = await withChecks(async () => good).request('/readyz');
  expect([ready.status, await ready.json()]).toEqual([200, { status: 'ok', checks: good }]);
  const bad = { ...good, rabbitmq: { ok: false, detail: 'away' } };
  const unready = await withChecks(async () => bad).request('/readyz');
  expect([unready.status, await unready.json()]).toEqual([503, { status: 'unavailable', checks: bad }]);
});

test('/readyz is degraded, and 200, while jobs are taken straight from Postgres', async () => {
  const away = {
    postgres: { ok: true },
    presence: { ok: true },
    accepting: { ok: true },
    rabbitmq: { ok: false },
    consumers: { ok: false, detail: '0 of 20' },
  };
  const lane = { ok: false, detail: 'jobs are taken straight from Postgres' };
  const statusOf = async (checks: Record<string, Check>) => {
    const response = await withChecks(async () => checks).request('/readyz');
    return [response.status, ((await response.json()) as { status: string }).status];
  };
  expect(await statusOf({ ...away, lane })).toEqual([200, 'degraded']);
  expect(await statusOf({ ...away, lane: { ok: true } })).toEqual([503, 'unavailable']);
  for (const needed of ['postgres', 'presence', 'accepting'])
    expect(await statusOf({ ...away, lane, [needed]: { ok: false } })).toEqual([503, 'unavailable']);
});

test('/metrics is the text that Prometheus reads', async () => {
  const response = await withChecks(async () => ({})).request('/metrics');
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4');
  expect(await response.text()).toBe('warren_up 1\n');
});

test('a port that is taken is a matter of configuration, and named', async () => {
  const options = { host: '127.0.0.1', port: 0, metrics, alive: () => true, checks: async () => ({}) };
  const health = await serveHealth(options);
  const second = serveHealth({ ...options, port: health.port });
  await expect(second).rejects.toThrow(Misconfigured);
  await expect(second).rejects.toThrow(`127.0.0.1:${health.port}`);
  await health.close();
});
