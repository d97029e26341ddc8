import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Snapshot, WatcherOptions } from '../../../bench/scale-out/watcher.ts';
import { Watcher } from '../../../bench/scale-out/watcher.ts';
import { Cluster } from '../../../src/cli/cluster/cluster.ts';
import { ClusterApi } from '../../support/cluster-api.ts';
import { autoscaler, deploymentPod, podUse } from '../../support/cluster-objects.ts';
import { eventually } from '../../support/eventually.ts';
import { WarrenApiDouble } from '../../support/warren-api-double.ts';

let kubernetes: ClusterApi;
let api: WarrenApiDouble;

beforeEach(async () => {
  kubernetes = await ClusterApi.start();
  const pod = deploymentPod('warren-worker', 'a');
  kubernetes.state.pods = [pod];
  kubernetes.state.metrics = [podUse(pod, { cpu: '100m', memory: '80Mi' })];
  kubernetes.state.autoscalers = [autoscaler('warren-worker', { cpu: 50 })];
  api = await WarrenApiDouble.start();
});

afterEach(async () => {
  vi.useRealTimers();
  await api[Symbol.asyncDispose]();
  await kubernetes[Symbol.asyncDispose]();
});

async function watching(
  work: (watcher: Watcher) => Promise<void>,
  options: Partial<WatcherOptions> = {},
): Promise<void> {
  const watcher = new Watcher({
    openCluster: () => new Cluster({ config: kubernetes.config(), namespace: kubernetes.namespace }),
    url: api.url,
    token: undefined,
    databaseUrl: undefined,
    intervalMs: 20,
    ...options,
  });
  watcher.start();
  try {
    await work(watcher);
  } finally {
    await watcher.stop();
  }
}

async function seen(watcher: Watcher, satisfies: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
  return await eventually(() => watcher.snapshot(), satisfies);
}

const isWhole = ({ pods, usage, autoscalers, queues }: Snapshot) =>
  [pods, usage, autoscalers, queues].every(({ ok }) => ok);

test('knows nothing before it has asked, and then everything', async () => {
  await watching(async (watcher) => {
    expect(watcher.snapshot().pods).toEqual({ ok: false, reason: 'not asked yet' });
    const { pods, autoscalers, activity } = await seen(watcher, isWhole);
    expect([pods.ok && pods.value.length, autoscalers.ok && autoscalers.value.length]).toEqual([1, 1]);
    expect(activity).toBeUndefined();
  });
});

test('one source that fails leaves the others as they are', async () => {
  await watching(async (watcher) => {
    await seen(watcher, isWhole);
    kubernetes.behaviours.metrics = 404;
    kubernetes.state.autoscalers = [];
    const { usage, pods, autoscalers, queues } = await seen(
      watcher,
      (snapshot) => !snapshot.usage.ok && snapshot.autoscalers.ok && snapshot.autoscalers.value.length === 0,
    );
    expect(usage).toMatchObject({ ok: false, reason: expect.stringContaining('no metrics (yet)') });
    expect([pods.ok, autoscalers.ok, queues.ok]).toEqual([true, true, true]);
  });
});

test('a silent API server delays nothing else', async () => {
  kubernetes.behaviours.pods = 'silent';
  await watching(async (watcher) => {
    const { pods } = await seen(
      watcher,
      ({ usage, autoscalers, queues }) => usage.ok && autoscalers.ok && queues.ok,
    );
    expect(pods.ok).toBe(false);
    await eventually(
      () => kubernetes.asked,
      ({ metrics, pods: asked }) => metrics > 5 * asked,
    );
  });
});

test('an API server that goes away and comes back is unknown and known again', async () => {
  await watching(async (watcher) => {
    await seen(watcher, isWhole);
    await kubernetes.goAway();
    const { queues } = await seen(
      watcher,
      ({ pods, usage, autoscalers }) => !pods.ok && !usage.ok && !autoscalers.ok,
    );
    expect(queues.ok).toBe(true);
    await kubernetes.comeBack();
    await seen(watcher, isWhole);
  });
});

test('a kubeconfig that comes later is found', async () => {
  let isThere = false;
  const openCluster = () => {
    if (!isThere) throw new Error('there is no kubeconfig');
    return new Cluster({ config: kubernetes.config(), namespace: kubernetes.namespace });
  };
  await watching(
    async (watcher) => {
      const { pods } = await seen(
        watcher,
        ({ pods: found }) => !found.ok && found.reason !== 'not asked yet',
      );
      expect(pods).toEqual({ ok: false, reason: 'there is no kubeconfig' });
      isThere = true;
      await seen(watcher, isWhole);
    },
    { openCluster },
  );
});

test('jobs per second come from the counts of completed jobs', async () => {
  await watching(async (watcher) => {
    await eventually(
      () => {
        for (const queue of api.queues) queue.completed += 10;
        return watcher.snapshot().jobsPerSecond ?? 0;
      },
      (rate) => rate > 0,
    );
    api.queuesStatus = 503;
    const { queues, jobsPerSecond } = await seen(watcher, ({ queues: told }) => !told.ok);
    expect([queues, jobsPerSecond]).toEqual([
      { ok: false, reason: '503 at /v1/queues: {"title":"out of order"}' },
      null,
    ]);
  });
});

test('a Postgres that is away is unknown, and nothing else is', async () => {
  const nowhere = '127.0.0.1:1';
  await watching(
    async (watcher) => {
      const { activity, queues } = await seen(
        watcher,
        (snapshot) =>
          snapshot.activity?.ok === false &&
          snapshot.activity.reason.includes('ECONNREFUSED') &&
          snapshot.queues.ok,
      );
      expect(activity?.ok).toBe(false);
      expect(queues).toMatchObject({ ok: true, value: [{ name: 'default', consumers: 20 }] });
    },
    { databaseUrl: `postgres://${nowhere}/none` },
  );
});

test('stops at once while a server is silent', async () => {
  kubernetes.behaviours.pods = 'silent';
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }); // no deadline comes: only the stop can end the question
  await watching(async () => {
    await eventually(
      () => kubernetes.asked.pods,
      (asked) => asked === 1,
    );
  });
});
