import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Cluster } from '../../../src/cli/cluster/cluster.ts';
import type { Reading } from '../../../src/cli/cluster/reading.ts';
import { ask } from '../../../src/cli/cluster/reading.ts';
import type { Behaviour, Resource } from '../../support/cluster-api.ts';
import { ClusterApi } from '../../support/cluster-api.ts';
import { autoscaler, deploymentPod, podUse } from '../../support/cluster-objects.ts';
import { eventually, HANG_MS } from '../../support/eventually.ts';

let kubernetes: ClusterApi;
let cluster: Cluster;

beforeEach(async () => {
  kubernetes = await ClusterApi.start();
  cluster = new Cluster({ config: kubernetes.config(), namespace: kubernetes.namespace });
});

afterEach(async () => {
  await kubernetes[Symbol.asyncDispose]();
});

/** Each kind of question, by what it is about. */
const questions: Readonly<Record<Resource, (signal: AbortSignal) => Promise<unknown>>> = {
  pods: (signal) => cluster.findPods(signal),
  metrics: (signal) => cluster.findUsage(signal),
  autoscalers: (signal) => cluster.findAutoscalers(signal),
};
const resources = ['pods', 'metrics', 'autoscalers'] as const;

async function askFor(resource: Resource, deadlineMs = HANG_MS): Promise<Reading<unknown>> {
  return await ask(questions[resource], { deadlineMs });
}

describe('the API server tells', () => {
  test('pods by name, with what they use and what was requested', async () => {
    const [second, first] = [deploymentPod('warren-worker', 'b'), deploymentPod('warren-worker', 'a')];
    kubernetes.state.pods = [second, first];
    kubernetes.state.metrics = [podUse(first, { cpu: '150m', memory: '64Mi' })];
    const pods = await cluster.findPods(AbortSignal.timeout(HANG_MS));
    const usage = await cluster.findUsage(AbortSignal.timeout(HANG_MS));
    expect(pods.map(({ name }) => name.slice(-2))).toEqual(['-a', '-b']);
    expect(pods[0]?.requests).toEqual({ cores: 0.2, bytes: 96 * 2 ** 20 });
    expect(pods[0]?.createdAt).toEqual(new Date('2026-01-01T00:00:00Z'));
    expect(pods.map(({ name }) => usage.get(name)?.cores)).toEqual([0.15, undefined]);
  });

  test('autoscalers', async () => {
    kubernetes.state.autoscalers = [autoscaler('warren-worker', { cpu: 90, current: 2, desired: 3 })];
    const [told] = await cluster.findAutoscalers(AbortSignal.timeout(HANG_MS));
    expect(told).toMatchObject({ target: 'warren-worker', current: 2, desired: 3, min: 2, max: 8 });
  });

  test('only what has the labels that were asked for', async () => {
    const labels = { 'app.kubernetes.io/part-of': 'warren' };
    const ours = deploymentPod('warren-worker', 'a', { labels });
    const others = deploymentPod('shop', 'a');
    kubernetes.state.pods = [ours, others];
    kubernetes.state.metrics = [ours, others].map((pod) => podUse(pod, { cpu: '1m', memory: '1Mi' }));
    kubernetes.state.autoscalers = [autoscaler('warren-worker', { labels }), autoscaler('shop')];
    const { namespace } = kubernetes;
    const selector = 'app.kubernetes.io/part-of=warren';
    cluster = new Cluster({ config: kubernetes.config(), namespace, selector });
    const signal = AbortSignal.timeout(HANG_MS);
    expect((await cluster.findPods(signal)).map(({ workload }) => workload)).toEqual(['warren-worker']);
    expect([...(await cluster.findUsage(signal)).keys()]).toEqual([ours.metadata?.name]);
    expect((await cluster.findAutoscalers(signal)).map(({ name }) => name)).toEqual(['warren-worker']);
  });

  test.each(resources)('that there are no %s', async (resource) => {
    expect(await askFor(resource)).toEqual({ ok: true, value: resource === 'metrics' ? new Map() : [] });
  });
});

describe('many pods', () => {
  beforeEach(() => {
    kubernetes.pageSize = 3;
    kubernetes.state.pods = Array.from({ length: 8 }, (_, index) =>
      deploymentPod('warren-worker', `p${index}`),
    );
  });

  test('are read page by page', async () => {
    const pods = await cluster.findPods(AbortSignal.timeout(HANG_MS));
    expect(new Set(pods.map(({ name }) => name)).size).toBe(8);
    expect(kubernetes.asked.pods).toBe(3);
  });

  test('are read anew where a page has expired in between (410)', async () => {
    kubernetes.expired.add('3');
    const pods = await cluster.findPods(AbortSignal.timeout(HANG_MS));
    expect(pods).toHaveLength(8);
    expect(kubernetes.asked.pods).toBe(2 + 3);
  });
});

const forbidden: Readonly<Record<Resource, string>> = {
  pods: '403 pods is forbidden: User "somebody" cannot list resource "pods" in API group "" in the namespace "warren"',
  metrics:
    '403 pods.metrics.k8s.io is forbidden: User "somebody" cannot list resource "pods" in API group "metrics.k8s.io" in the namespace "warren"',
  autoscalers:
    '403 horizontalpodautoscalers.autoscaling is forbidden: User "somebody" cannot list resource "horizontalpodautoscalers" in API group "autoscaling" in the namespace "warren"',
};

describe('a refusal is told in one line, and the next answer is heard', () => {
  const cases: [Resource, Behaviour, string][] = resources.flatMap((resource) => [
    [resource, 403, forbidden[resource]],
    [resource, 500, '500 etcdserver: leader changed'],
    [resource, 410, '410 The provided continue parameter is too old'],
    [resource, 'page', '502 <html>bad gateway</html>'],
  ]);

  test.each(cases)('%s: %s', async (resource, behaviour, reason) => {
    kubernetes.behaviours[resource] = behaviour;
    const status = Number(reason.slice(0, 3));
    expect(await askFor(resource)).toEqual({ ok: false, reason, status });
    kubernetes.behaviours[resource] = 'normal';
    expect(await askFor(resource)).toMatchObject({ ok: true });
  });

  test.each([404, 503])('metrics that are not there yet (%i) point to metrics-server', async (status) => {
    kubernetes.behaviours.metrics = status;
    expect(await askFor('metrics')).toEqual({
      ok: false,
      reason: `${status}: no metrics (yet): does metrics-server run?`,
    });
  });

  test('a wrong token', async () => {
    cluster = new Cluster({
      config: kubernetes.config({ token: 'another' }),
      namespace: kubernetes.namespace,
    });
    expect(await askFor('pods')).toEqual({ ok: false, reason: '401 Unauthorized', status: 401 });
  });

  test('another namespace', async () => {
    cluster = new Cluster({ config: kubernetes.config(), namespace: 'another' });
    expect(await askFor('autoscalers')).toMatchObject({ ok: false, status: 403 });
  });
});

describe.each(resources)('with a bad line, %s', (resource) => {
  test('are given up at the deadline where the server is silent, and the request is called off', async () => {
    kubernetes.behaviours[resource] = 'silent';
    expect(await askFor(resource, 300)).toEqual({ ok: false, reason: 'no answer within 0.3 s' });
    expect(
      await eventually(
        () => kubernetes.calledOff,
        (count) => count === 1,
      ),
    ).toBe(1);
  });

  test('are unknown where the answer breaks off, and known again afterwards', async () => {
    kubernetes.state.pods = [deploymentPod('warren-worker', 'a')];
    kubernetes.behaviours[resource] = 'cut';
    expect(await askFor(resource)).toMatchObject({ ok: false });
    kubernetes.behaviours[resource] = 'normal';
    expect(await askFor(resource)).toMatchObject({ ok: true });
  });

  test('are unknown while the server is away, and known again when it is back', async () => {
    expect(await askFor(resource)).toMatchObject({ ok: true });
    await kubernetes.goAway();
    expect(await askFor(resource)).toMatchObject({
      ok: false,
      reason: expect.stringContaining('ECONNREFUSED'),
    });
    await kubernetes.comeBack();
    expect(
      await eventually(
        () => askFor(resource),
        ({ ok }) => ok,
      ),
    ).toMatchObject({ ok: true });
  });
});
