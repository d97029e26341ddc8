// docs/metrics.md, made from the registries of both programs: every metric that one of them exposes, and what it means.

import { app } from '../examples/shop/app.ts';
import { BodyBudget, bodyGauges } from '../src/api/body-budget.ts';
import { QueueClient } from '../src/queue/client.ts';
import { Events } from '../src/shared/observe/events.ts';
import type { MetricDescription } from '../src/shared/observe/metrics/metrics.ts';
import { createMetrics } from '../src/shared/observe/metrics/metrics.ts';
import { readConfig } from '../src/shared/settings/config.ts';
import { Worker } from '../src/worker/worker.ts';
import { workerGauges } from '../src/worker/worker-gauges.ts';

/** Nobody is there, and nothing is opened. */
const nowhere = { databaseUrl: 'postgres://127.0.0.1:1/none', amqpUrl: 'amqp://127.0.0.1:1' };
const types = [...app.definitions.keys()];
const queues = [...app.queues.keys()];

/** What Prometheus's client for Node offers by itself; some of it only on Linux. */
const USUAL = /^(process|nodejs)_/;

/** The metrics of the two programs, by program. */
export function describePrograms(): { api: MetricDescription[]; worker: MetricDescription[] } {
  const { databaseUrl: url, amqpUrl } = nowhere;
  const events = new Events();
  const client = new QueueClient({
    app,
    events,
    name: 'docs',
    database: { url, min: 1, max: 1 },
    amqpUrl,
    channels: 1,
  });
  const config = readConfig('worker', app, {
    DATABASE_URL: nowhere.databaseUrl,
    AMQP_URL: nowhere.amqpUrl,
  });
  const api = createMetrics({
    events,
    types,
    queues,
    gauges: [...client.gauges, ...bodyGauges(new BodyBudget(1))],
  });
  const gauges = workerGauges(new Worker({ config, name: 'docs', app, events }), queues);
  const worker = createMetrics({ events, types, queues, gauges });
  api.stop();
  worker.stop();
  return { api: api.describe(), worker: worker.describe() };
}

export function metricsPage(derived: string): string {
  const { api, worker } = describePrograms();
  const metrics = [...new Map([...api, ...worker].map((metric) => [metric.name, metric])).values()];
  const has = (program: readonly MetricDescription[], name: string) => program.some((it) => it.name === name);
  const rows = metrics
    .filter(({ name }) => !USUAL.test(name))
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map(({ name, type, labels, help }) => {
      const programs = has(api, name) && has(worker, name) ? 'both' : has(api, name) ? 'api' : 'worker';
      return `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${programs} | ${help} |`;
    });
  return `# Metrics

${derived}

Prometheus text at \`/metrics\` of the API and of each worker's health port. Durations are seconds. What is counted starts at 0 for every job type, queue
and outcome that the program knows, so that a rate sees the first event; types and queues that it does not know are counted as \`unknown\`. A gauge
whose source cannot be asked is left out. The usual \`process_*\` and \`nodejs_*\` come on top, save for the samplers of the event loop, which would wake an
idle process 110 times a second: \`warren_event_loop_delay_seconds\` takes their place. The alerts that are made from them: [alerts.md](alerts.md); Grafana's
boards: [boards.md](boards.md).

| metric | type | labels | program | meaning |
|---|---|---|---|---|
${rows.join('\n')}
`;
}
