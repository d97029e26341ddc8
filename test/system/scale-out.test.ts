import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { seedOrders } from '../../examples/shop/orders.ts';
import type { RunningApi } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import { ClusterApi } from '../support/cluster-api.ts';
import { autoscaler, deploymentPod, podUse } from '../support/cluster-objects.ts';
import { eventually } from '../support/eventually.ts';
import { Program, startProgram } from '../support/program.ts';
import type { TestDatabase, TestVhost } from '../support/servers.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

let stack: AsyncDisposableStack;
let kubernetes: ClusterApi;
let database: TestDatabase;
let vhost: TestVhost;
let api: RunningApi;
let folder: string;

beforeAll(async () => {
  stack = new AsyncDisposableStack();
  database = stack.use(await createDatabase());
  vhost = stack.use(await createVhost());
  await seedOrders({ databaseUrl: database.url });
  kubernetes = stack.use(await ClusterApi.start());
  folder = mkdtempSync(join(tmpdir(), 'warren-scale-out-'));
  stack.defer(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'kubeconfig'), kubernetes.kubeconfig());
  api = stack.use(await startApi({ databaseUrl: database.url, amqpUrl: vhost.url }));
  const environment = { DATABASE_URL: database.url, AMQP_URL: vhost.url, WORKER_HEALTH_PORT: '0' };
  const worker = stack.use(await startProgram('worker', environment));
  await worker.waitForLog('worker started');
});

afterAll(async () => {
  await stack.disposeAsync();
});

/** Looks often, at the API and the cluster of this test, and writes into `out`. */
async function startScaleOut(out: string, ...options: string[]): Promise<Program> {
  const usual = [
    '--url',
    api.url,
    '--interval',
    '0.2',
    '--requests',
    '20',
    '--concurrency',
    '4',
    '--out',
    out,
  ];
  const child = spawn(process.execPath, ['bench/scale-out/main.ts', ...usual, ...options], {
    env: {
      PATH: '/usr/bin:/bin',
      KUBECONFIG: join(folder, 'kubeconfig'),
      DATABASE_URL: database.url,
      AMQP_URL: vhost.url,
      RABBITMQ_MANAGEMENT_URL: inject('managementUrl'),
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await once(child, 'spawn');
  return new Program('bench/scale-out/main.ts', child);
}

function showPods(count: number): void {
  const pods = Array.from({ length: count }, (_, index) => deploymentPod('warren-worker', `p${index}`));
  kubernetes.state.pods = pods;
  kubernetes.state.metrics = pods.map((pod) => podUse(pod, { cpu: '120m', memory: '90Mi' }));
  kubernetes.state.autoscalers = [autoscaler('warren-worker', { current: count, cpu: 60 })];
}

async function untilPrinted(program: Program, wanted: RegExp): Promise<void> {
  await eventually(
    () => program.text.join('\n'),
    (text) => wanted.test(text),
  );
}

test('a run sends real jobs, sees the fleet grow and shrink through an outage of the API server, and writes everything down', async () => {
  const out = join(folder, 'whole');
  showPods(2);
  await using program = await startScaleOut(out, '--before', '8', '--after', '1'); // seconds and minutes
  await untilPrinted(program, /before .*warren-worker 2 ready/);
  await untilPrinted(program, /under load/);
  showPods(4);
  await untilPrinted(program, /under load .*warren-worker 4 ready/);
  await kubernetes.goAway();
  await untilPrinted(program, /under load .*! pods.* unknown: .*ECONNREFUSED/);
  await kubernetes.comeBack();
  kubernetes.behaviours.metrics = 503;
  await untilPrinted(program, /under load .*warren-worker 4 ready.*! CPU and memory unknown: 503/);
  kubernetes.behaviours.metrics = 'normal';
  program.signal('SIGINT');
  showPods(2);
  await untilPrinted(program, /^Written to /m);
  expect(await program.exited).toEqual({ code: 0, signal: null });

  const page = readFileSync(join(out, 'README.md'), 'utf8');
  expect(page).toMatch(/\| warren-worker: pods ready +\| +2 \| +4 \| +2 \|/);
  for (const title of ['## Before', '## During', '## After']) expect(page).toContain(title);
  expect(page).toContain('none failed');
  expect(page).toContain('warren-worker: at its largest, 4 pods ready');
  const { points, load, events } = JSON.parse(readFileSync(join(out, 'timeline.json'), 'utf8'));
  expect(points.some(({ workloads }: { workloads: unknown }) => workloads === null)).toBe(true);
  expect(points.at(-1)).toMatchObject({ phase: 'after', waiting: 0, running: 0, consumers: 20 });
  expect(
    Math.max(...points.map(({ jobsPerSecond }: { jobsPerSecond: number }) => jobsPerSecond)),
  ).toBeGreaterThan(0);
  expect(events.map(({ kind }: { kind: string }) => kind)).toContain('created');
  await using sql = disposable(postgres(database.url, { max: 1 }));
  const [row] = await sql.client<{ completed: number }[]>`
    select count(*)::int as completed from warren.jobs where state = 'completed'`;
  expect(row?.completed).toBe(load.jobs);
  const svg = readFileSync(join(out, 'timeline.svg'), 'utf8');
  expect(svg).toContain('warren-worker ready');
});

test('without a cluster, and while somebody else sends, it watches the rest', async () => {
  const out = join(folder, 'watching');
  await kubernetes.goAway();
  await using program = await startScaleOut(
    out,
    '--watch',
    '--before',
    '0',
    '--minutes',
    '0.15',
    '--after',
    '0.1',
  );
  expect(await program.exited).toEqual({ code: 0, signal: null });
  await kubernetes.comeBack();
  const page = readFileSync(join(out, 'README.md'), 'utf8');
  expect(page).toContain('pods: unknown');
  expect(page).toMatch(/consumers, highest \(last\) .* 20 \(20\) \|/);
  expect(page).not.toMatch(/Load: |the load begins/);
});

test('SIGTERM ends it at once, and what was seen until then is written', async () => {
  const out = join(folder, 'terminated');
  await using program = await startScaleOut(out);
  await untilPrinted(program, /before/);
  program.signal('SIGTERM');
  expect(await program.exited).toEqual({ code: 0, signal: null });
  expect(readFileSync(join(out, 'README.md'), 'utf8')).toContain('## Before');
});

test('wrong options are told in one line, with exit code 2', async () => {
  await using program = await startScaleOut(folder, '--type', 'nothing', '--before', 'soon');
  expect(await program.exited).toEqual({ code: 2, signal: null });
  expect(program.text).toEqual([
    expect.stringMatching(/--type must be one of .*; --before must be a number/),
  ]);
});

function disposable(client: postgres.Sql): AsyncDisposable & { client: postgres.Sql } {
  return { client, [Symbol.asyncDispose]: async () => client.end({ timeout: 2 }) };
}
