// `warren top` once and as JSON, and with the pods of a cluster: the real API, and a server that answers as the API server of Kubernetes does.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { addOwnCommands } from '../../src/cli/add-commands.ts';
import type { RunningApi } from '../support/api.ts';
import { startApi } from '../support/api.ts';
import type { RoleRule } from '../support/cluster-api.ts';
import { ClusterApi } from '../support/cluster-api.ts';
import { autoscaler, deploymentPod, podUse } from '../support/cluster-objects.ts';
import type { CommandEnd } from '../support/command-line.ts';
import { createTerminal, createWatchedTerminal, runWarren } from '../support/command-line.ts';
import { createDatabase, createVhost } from '../support/servers.ts';

const token = 'the-token-of-the-operator';
const limits = { cpu: '500m', memory: '192Mi' };

let stack: AsyncDisposableStack;
let api: RunningApi;
let kubernetes: ClusterApi;
let folder: string;
let environment: Record<string, string>;

beforeAll(async () => {
  await using opened = new AsyncDisposableStack();
  const database = opened.use(await createDatabase());
  const vhost = opened.use(await createVhost());
  api = opened.use(
    await startApi({
      databaseUrl: database.url,
      amqpUrl: vhost.url,
      environment: { API_TOKEN: token },
    }),
  );
  kubernetes = opened.use(await ClusterApi.start());
  folder = mkdtempSync(join(tmpdir(), 'warren-top-'));
  opened.defer(() => rmSync(folder, { recursive: true }));
  environment = {
    WARREN_URL: api.url,
    WARREN_TOKEN: token,
    KUBECONFIG: writeKubeconfig('kubeconfig', kubernetes.kubeconfig()),
  };
  await runWarren(['jobs', 'enqueue', 'process-order', '{"orderId":"7"}'], environment);
  stack = opened.move();
});

afterAll(async () => await stack.disposeAsync());

beforeEach(() => {
  showPods(2);
  kubernetes.behaviours.metrics = 'normal';
});

function writeKubeconfig(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** Of the second pod nothing is measured yet. */
function showPods(count: number): void {
  const pods = Array.from({ length: count }, (_, index) =>
    deploymentPod('warren-worker', `x2k4${index}`, { limits }),
  );
  kubernetes.state.pods = pods;
  kubernetes.state.metrics = pods.slice(0, 1).map((pod) => podUse(pod, { cpu: '212m', memory: '88Mi' }));
  kubernetes.state.autoscalers = [
    autoscaler('warren-worker', { current: count, desired: 2 * count, cpu: 106 }),
  ];
}

async function top(
  args: string[],
  others: Record<string, string> = {},
  columns?: number,
): Promise<CommandEnd> {
  const terminal = createTerminal();
  if (columns !== undefined) Object.assign(terminal.out, { isTTY: true, columns, rows: 50 });
  return await runWarren(['top', ...args], { ...environment, ...others }, { terminal, add: addOwnCommands });
}

/** The cells of the line that begins with this one, below the heading that does. */
function cellsOf(out: string, heading: string, first: string): Record<string, string> {
  const lines = out.split('\n').map((line) => line.trim().split(/ {2,}/));
  const headings = lines.find(([name]) => name === heading) ?? [];
  const cells = lines.find(([name]) => name === first) ?? [];
  return Object.fromEntries(
    headings.map((name, at) => [headings.indexOf(name) === at ? name : `second ${name}`, cells[at] ?? '']),
  );
}

describe('--once', () => {
  test('shows queues and workers and ends, and knows no throughput yet', async () => {
    const { code, out, err } = await top(['--once']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out).toMatch(/^waiting 1 {2}running 0 .* ended –\/s$/m);
    expect(cellsOf(out, 'NAME', 'default')).toMatchObject({ WAITING: '1', 'ENDED /s': '–' });
    expect(Number(cellsOf(out, 'NAME', 'default')['OLDEST s'])).toBeGreaterThanOrEqual(0);
    expect(out).not.toContain('\u001b');
  });

  test('with --json prints one object, with what the API answers', async () => {
    const { out } = await top(['--once', '--json']);
    const { at, queues, workers, cluster } = JSON.parse(out);
    expect(out.trimEnd()).not.toContain('\n');
    expect(new Date(at).toISOString()).toBe(at);
    expect(queues).toContainEqual(
      expect.objectContaining({
        name: 'default',
        counts: expect.objectContaining({ available: 1 }),
        oldestAvailableSeconds: expect.any(Number),
        endedPerSecond: null,
      }),
    );
    expect({ workers, cluster }).toEqual({ workers: [], cluster: undefined });
  });

  test('leaves its picture on a terminal', async () => {
    expect((await top(['--once'], {}, 160)).out).not.toContain('\u001b');
  });
});

describe('--pods', () => {
  test('shows autoscalers and pods, with their use beside requests and limits, below the queues', async () => {
    const { code, out, err } = await top(['--once', '--pods']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(cellsOf(out, 'NAME', 'default')).toMatchObject({ WAITING: '1' });
    expect(cellsOf(out, 'AUTOSCALER', 'warren-worker')).toEqual({
      AUTOSCALER: 'warren-worker',
      SCALES: 'warren-worker',
      CURRENT: '2',
      DESIRED: '4',
      MIN: '2',
      MAX: '8',
      MEASURES: 'cpu: 106%/70%',
    });
    expect(cellsOf(out, 'POD', 'warren-worker-5d9f7c6b8-x2k40')).toMatchObject({
      READY: 'yes',
      STATUS: 'Running',
      RESTARTS: '0',
      CPU: '212m',
      '%REQ': '106%',
      '%LIM': '42%',
      MEMORY: '88Mi',
      'second %REQ': '92%',
      'second %LIM': '46%',
    });
    expect(cellsOf(out, 'POD', 'warren-worker-5d9f7c6b8-x2k41')).toMatchObject({ CPU: '–', '%LIM': '–' });
    expect(out).toContain('namespace warren');
  });

  test('fits into 80 columns without a figure of CPU, memory, jobs or replicas being cut', async () => {
    const { out } = await top(['--once', '--pods'], {}, 80);
    expect(out.split('\n').filter((line) => line.length > 80 || line.includes('…'))).toEqual([]);
    expect(cellsOf(out, 'NAME', 'default')).toMatchObject({ WAITING: '1', RUNNING: '0', CONSUMERS: '0' });
    expect(cellsOf(out, 'AUTOSCALER', 'warren-worker')).toMatchObject({
      DESIRED: '4',
      MEASURES: 'cpu: 106%/70%',
    });
    const pod = cellsOf(out, 'POD', 'warren-worker-5d9f7c6b8-x2k40');
    expect(pod).toMatchObject({ STATUS: 'Running', CPU: '212m', MEMORY: '88Mi', 'second %LIM': '46%' });
    expect(pod).not.toHaveProperty('AGE');
  });

  test('with --json prints the figures themselves', async () => {
    const { cluster } = JSON.parse((await top(['--once', '--pods', '--json'])).out);
    expect(cluster).toMatchObject({ namespace: 'warren', problems: [] });
    expect(cluster.pods).toMatchObject([
      {
        name: 'warren-worker-5d9f7c6b8-x2k40',
        workload: 'warren-worker',
        ready: true,
        createdAt: '2026-01-01T00:00:00.000Z',
        usage: { cores: 0.212, bytes: 88 * 2 ** 20 },
        requests: { cores: 0.2, bytes: 96 * 2 ** 20 },
        limits: { cores: 0.5, bytes: 192 * 2 ** 20 },
      },
      { usage: null },
    ]);
    const measured = { name: 'cpu', current: '106%', target: '70%' };
    expect(cluster.autoscalers).toMatchObject([
      { current: 2, desired: 4, min: 2, max: 8, metrics: [measured] },
    ]);
  });

  test('shows only what has the labels, in the namespace, that were asked for', async () => {
    const labels = { 'app.kubernetes.io/name': 'warren-api' };
    kubernetes.state.pods = [...kubernetes.state.pods, deploymentPod('warren-api', 'a', { labels })];
    const { out } = await top([
      '--once',
      '--pods',
      '--selector',
      'app.kubernetes.io/name=warren-api',
      '--context',
      'test',
    ]);
    expect(out).toContain('warren-api-5d9f7c6b8-a');
    expect(out).not.toContain('warren-worker');
    expect(out).toContain('no autoscalers');
    const elsewhere = await top(['--once', '--pods', '--namespace', 'another']);
    expect(elsewhere.out).toContain('cannot list resource "pods" in API group "" in the namespace "another"');
  });

  test('follows the cluster live, and shows the queues while the API server is away', async () => {
    const seen: string[] = [];
    const steps: [RegExp, (stop: () => void) => void][] = [
      [/x2k41 /, () => showPods(3)],
      [/x2k42 /, () => void kubernetes.goAway()],
      [/waiting 1 .*autoscalers unknown: .*ECONNREFUSED.*pods: unknown/s, () => void kubernetes.comeBack()],
      [/x2k42 /, (stop) => stop()],
    ];
    const terminal = createWatchedTerminal((picture, stop) => {
      const [wanted, act] = steps[seen.length] ?? [];
      if (!wanted?.test(picture)) return;
      seen.push(`${wanted}`);
      act?.(stop);
    });
    const args = ['top', '--pods', '--every', '0.1'];
    const { code } = await runWarren(args, environment, { terminal, add: addOwnCommands });
    expect({ code, seen: seen.length }).toEqual({ code: 0, seen: steps.length });
  });

  test('shows the queues while the API server is silent', async () => {
    kubernetes.behaviours.pods = 'silent';
    let picture = '';
    const terminal = createWatchedTerminal((text, stop) => {
      picture = text;
      stop();
    });
    const { code } = await runWarren(['top', '--pods'], environment, { terminal, add: addOwnCommands });
    kubernetes.behaviours.pods = 'normal';
    expect(code).toBe(0);
    expect(picture).toMatch(/^waiting 1 .*pods unknown: .*pods: unknown/s);
    expect(picture).toContain('cpu: 106%/70%');
  });

  test('with --json prints an object for each look', async () => {
    const lines: string[] = [];
    const terminal = createWatchedTerminal((line, stop) => {
      if (lines.push(line) === 3) stop();
    });
    const args = ['top', '--pods', '--json', '--every', '0.1'];
    await runWarren(args, environment, { terminal, add: addOwnCommands });
    expect(lines.map((line) => JSON.parse(line).cluster.pods.length)).toEqual([2, 2, 2]);
    expect(JSON.parse(lines[1] ?? '').queues[0].endedPerSecond).toBe(0);
  });
});

describe('the Role of docs/scale-out.md', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../docs/scale-out.md'), 'utf8');
  const [, block = ''] = /```yaml\n([^`]*kind: Role\n[^`]*)```/.exec(page) ?? [];
  const rules: RoleRule[] = parseAllDocuments(block)
    .map((each) => each.toJS())
    .find(({ kind }) => kind === 'Role').rules;

  test('suffices', async () => {
    kubernetes.rights = rules;
    const { code, out } = await top(['--once', '--pods']);
    expect(code).toBe(0);
    expect(out).not.toContain('unknown');
  });

  test.each<[string, number, string]>([
    ['', 5, 'pods: unknown'],
    ['metrics.k8s.io', 0, 'CPU and memory unknown'],
    ['autoscaling', 0, 'autoscalers: unknown'],
  ])(
    'is named where the rule for the group "%s" is missing, and the rest is shown',
    async (group, code, unknown) => {
      kubernetes.rights = rules.filter(({ apiGroups }) => !apiGroups.includes(group));
      const ended = await top(['--once', '--pods']);
      expect(ended.code).toBe(code);
      expect(ended.out).toContain(unknown);
      expect(ended.out).toContain(' is forbidden: User "somebody" cannot list resource ');
      expect(ended.out).toMatch(/Role with the verb list on .*docs\/scale-out\.md/);
      expect(cellsOf(ended.out, 'NAME', 'default')).toMatchObject({ WAITING: '1' });
    },
  );

  afterAll(() => {
    kubernetes.rights = [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }];
  });
});

describe('what is not there is said in one line:', () => {
  test.each([404, 503])('metrics-server (%i), and the pods are shown without figures', async (status) => {
    kubernetes.behaviours.metrics = status;
    const { code, out } = await top(['--once', '--pods']);
    expect(code).toBe(0);
    expect(out).toMatch(/^\(CPU and memory unknown: .*does metrics-server run\?\)$/m);
    expect(cellsOf(out, 'POD', 'warren-worker-5d9f7c6b8-x2k40')).toMatchObject({
      STATUS: 'Running',
      CPU: '–',
    });
  });

  test('credentials that the cluster knows', async () => {
    const KUBECONFIG = writeKubeconfig('expired', kubernetes.kubeconfig({ token: 'old' }));
    const { code, out } = await top(['--once', '--pods'], { KUBECONFIG });
    expect(code).toBe(5);
    expect(out).toMatch(/^\(pods, CPU and memory, autoscalers unknown: 401 Unauthorized\)$/m);
    expect(out).toContain('the cluster does not know you');
  });

  test('the API, and the pods are shown', async () => {
    const { code, out } = await top(['--once', '--pods'], { WARREN_URL: 'http://127.0.0.1:2' });
    expect(code).toBe(6);
    expect(out).toMatch(/^\(nothing answers at 127\.0\.0\.1:2: ECONNREFUSED\)$/m);
    expect(out).toContain('warren-worker-5d9f7c6b8-x2k40');
    expect(await top(['--once'], { WARREN_URL: 'http://127.0.0.1:2' })).toMatchObject({ code: 6, out: '' });
  });

  test('the API server, and the queues are shown', async () => {
    await kubernetes.goAway();
    const { code, out } = await top(['--once', '--pods']);
    await kubernetes.comeBack();
    expect(code).toBe(6);
    expect(out).toMatch(/^\(pods, CPU and memory, autoscalers unknown: .*ECONNREFUSED/m);
    expect(cellsOf(out, 'NAME', 'default')).toMatchObject({ WAITING: '1' });
  });

  test.each<[number, string, string[], Record<string, string>, RegExp]>([
    [1, 'a kubeconfig', ['--pods'], { KUBECONFIG: '', HOME: '/nowhere' }, /^no kubeconfig: /],
    [
      1,
      'the file of it',
      ['--pods'],
      { KUBECONFIG: '/nowhere' },
      /^the kubeconfig cannot be read: .*\/nowhere/,
    ],
    [1, 'the context', ['--pods', '--context', 'none'], {}, /^the kubeconfig has no context "none"$/],
    [2, '--pods', ['--namespace', 'warren'], {}, /--namespace chooses pods, and wants --pods/],
  ])('%i for %s', async (code, _, args, others, reason) => {
    expect(await top([...args, '--once'], others)).toMatchObject({
      code,
      err: expect.stringMatching(reason),
    });
  });
});
