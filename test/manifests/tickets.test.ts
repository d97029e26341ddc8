// How the deli counter is deployed: both of its autoscalers go by the same line, and the compose file has the six services and settings that they know.
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { settings } from '../../src/shared/settings/settings.ts';
import { HANG_MS } from '../support/eventually.ts';
import { kubectlObstacle, pick, render } from '../support/manifests.ts';
import { findPromtoolObstacle, testExpression } from '../support/promtool.ts';

const root = resolve(import.meta.dirname, '../..');
const folder = join(root, 'examples/tickets');

interface AdapterRule {
  seriesQuery: string;
  name: { as: string };
  metricsQuery: string;
}

function readAdapterRule(): AdapterRule {
  const values = parse(
    readFileSync(join(folder, 'k8s-custom-metric/prometheus-adapter-values.yaml'), 'utf8'),
  );
  return values.rules.external[0];
}

describe.skipIf(kubectlObstacle !== undefined)(kubectlObstacle ?? 'autoscaled', { timeout: HANG_MS }, () => {
  test('by KEDA or by a custom metric, a worker is wanted for as many tickets, and there are as many at most', () => {
    const keda = pick(
      render({ from: '../examples/tickets/k8s', components: [] }),
      'ScaledObject',
      'warren-worker',
    )['spec'];
    const custom = render({ from: '../examples/tickets/k8s-custom-metric', components: [] });
    const autoscaler = pick(custom, 'HorizontalPodAutoscaler', 'warren-worker')['spec'];
    const [{ external }] = autoscaler.metrics;
    const [trigger] = keda.triggers;
    expect(external.metric.name).toBe(readAdapterRule().name.as);
    expect([autoscaler.minReplicas, autoscaler.maxReplicas, external.target.averageValue]).toEqual([
      keda.minReplicaCount,
      keda.maxReplicaCount,
      trigger.metadata.targetQueryValue,
    ]);
    expect(custom.filter(({ apiVersion }) => apiVersion.startsWith('keda.sh'))).toEqual([]);
  });
});

const promtoolObstacle = await findPromtoolObstacle();

test.skipIf(promtoolObstacle !== undefined)(
  'the custom metric is the line, however many tell it',
  async () => {
    const { seriesQuery, metricsQuery } = readAdapterRule();
    expect(seriesQuery).toContain('__name__="warren_jobs"');
    const expression = metricsQuery
      .replace('<<.Series>>', 'warren_jobs')
      .replace('<<.LabelMatchers>>', 'namespace="tickets",queue="tickets"');
    const series = (pod: string, queue: string, state: string) =>
      `warren_jobs{namespace="tickets",pod="${pod}",queue="${queue}",state="${state}"}`;
    const input = [
      { series: series('api', 'tickets', 'available'), values: '9 9' },
      { series: series('leader', 'tickets', 'available'), values: '9 9' },
      { series: series('leader', 'tickets', 'running'), values: '2 2' },
      { series: series('leader', 'tickets', 'scheduled'), values: '50 50' },
      { series: series('leader', 'default', 'available'), values: '70 70' },
    ];
    expect(await testExpression({ expression, input, value: 11 })).toBe('');
  },
);

describe('the compose file', () => {
  interface Service {
    image: string;
    entrypoint?: string[];
    environment?: Record<string, string>;
    depends_on?: string[] | Record<string, unknown>;
  }
  const compose = parse(readFileSync(join(folder, 'compose.yaml'), 'utf8'), { merge: true }) as {
    services: Record<string, Service>;
  };
  const services = Object.entries(compose.services);

  test('has the six services, and what makes the schema', () => {
    const names = ['website', 'api', 'worker', 'monitor', 'queue', 'database'];
    expect(services.map(([name]) => name).toSorted()).toEqual([...names, 'migrate'].toSorted());
  });

  test.each(services)('starts %s after services that there are, by a file that there is', (_, service) => {
    const before = Array.isArray(service.depends_on)
      ? service.depends_on
      : Object.keys(service.depends_on ?? {});
    expect(before.filter((name) => compose.services[name] === undefined)).toEqual([]);
    const [command = 'node', file = 'package.json'] = service.entrypoint ?? [];
    expect(command).toBe('node');
    expect(existsSync(join(root, file))).toBe(true);
  });

  test('names settings that the programs know, and servers that there are', () => {
    const ofExample = ['API_URL', 'TICKET_SECONDS'];
    const environment = compose.services['worker']?.environment ?? {};
    const unknown = Object.keys(environment).filter(
      (name) => !(name in settings) && !ofExample.includes(name),
    );
    expect(unknown).toEqual([]);
    const hosts = ['DATABASE_URL', 'AMQP_URL', 'API_URL'].map(
      (name) => new URL(environment[name] ?? '').hostname,
    );
    expect(hosts).toEqual(['database', 'queue', 'api']);
  });
});
