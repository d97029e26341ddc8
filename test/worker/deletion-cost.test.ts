import { expect, test, vi } from 'vitest';
import { Events } from '../../src/shared/observe/events.ts';
import type { DeletionCostOptions } from '../../src/worker/deletion-cost.ts';
import { DeletionCost } from '../../src/worker/deletion-cost.ts';
import { listen } from '../support/events.ts';
import { hasOpenssl, PodServer } from '../support/pod-server.ts';

const events = new Events();
const intervalMs = 20;
const shortestMs = 10;
/** An interval that no test waits for. */
const NEVER_MS = 3_600_000;
const attempt = { type: 'test', queue: 'default', attempt: 1 };
const begin = (jobId: string) => events.publish('attempt.started', { ...attempt, jobId, waitMs: 0 });
const end = (jobId: string) =>
  events.publish('attempt.finished', {
    ...attempt,
    jobId,
    outcome: 'completed',
    durationMs: 1,
    error: undefined,
  });
const costs = (api: PodServer) =>
  api.patches.map(
    ({ body }) =>
      (body as { metadata: { annotations: Record<string, string> } }).metadata.annotations[
        'controller.kubernetes.io/pod-deletion-cost'
      ],
  );

async function tell(
  api: Pick<PodServer, 'podUrl' | 'credentialsFolder'>,
  options: Partial<DeletionCostOptions> = {},
): Promise<AsyncDisposable & { cost: DeletionCost }> {
  const { podUrl, credentialsFolder } = api;
  const cost = new DeletionCost({ events, podUrl, credentialsFolder, intervalMs, shortestMs, ...options });
  cost.start();
  return { cost, [Symbol.asyncDispose]: () => cost.stop() };
}

test('tells how many attempts run, as a merge patch of one annotation, with the token of the pod', async () => {
  await using api = await PodServer.start();
  await using _telling = await tell(api);
  await api.received(1);
  begin('1');
  begin('2');
  await api.received(2);
  end('1');
  end('2');
  await api.received(3);
  expect(costs(api)).toEqual(['0', '2', '0']);
  expect(api.patches[0]).toEqual({
    token: 'Bearer first-token',
    contentType: 'application/merge-patch+json',
    body: { metadata: { annotations: { 'controller.kubernetes.io/pod-deletion-cost': '0' } } },
  });
});

test('tells a number once, however often attempts come and go in between', async () => {
  await using api = await PodServer.start();
  await using _telling = await tell(api);
  await api.received(1);
  for (const jobId of ['1', '2', '3']) {
    begin(jobId);
    end(jobId);
  }
  begin('4');
  await api.received(2);
  end('4');
  begin('5');
  begin('6');
  await api.received(3);
  expect(costs(api)).toEqual(['0', '1', '2']);
  end('5');
  end('6');
});

test('tells that it has become busy, or idle, without waiting for the interval; another number waits', async () => {
  await using api = await PodServer.start();
  await using _telling = await tell(api, { intervalMs: NEVER_MS });
  await api.received(1);
  begin('1');
  await api.received(2);
  begin('2');
  end('1');
  end('2');
  await api.received(3);
  begin('3');
  await api.received(4);
  expect(costs(api)).toEqual(['0', '1', '0', '1']);
  end('3');
});

test('tells nothing sooner than the shortest time, however often it changes between idle and busy', async () => {
  await using api = await PodServer.start();
  await using _telling = await tell(api, { intervalMs: NEVER_MS, shortestMs: NEVER_MS });
  await api.received(1);
  begin('1');
  end('1');
  begin('2');
  await new Promise((resolve) => setImmediate(resolve));
  expect(costs(api)).toEqual(['0']);
  end('2');
});

test('is refused, says so once, and goes on trying until it works', async () => {
  await using api = await PodServer.start();
  api.answer = 'forbidden';
  using failures = listen(events, 'maintenance.failed');
  await using _telling = await tell(api);
  await api.received(3);
  expect(failures.all.map(({ task, error }) => [task, (error as Error).message])).toEqual([
    ['deletion cost', expect.stringContaining('403: {"kind":"Status"')],
  ]);
  api.answer = 'pod';
  const { length } = api.patches;
  await api.received(length + 1);
  begin('1');
  await api.received(length + 2);
  expect(costs(api).at(-1)).toBe('1');
  expect(failures.all).toHaveLength(1);
  end('1');
});

test('reads a renewed token', async () => {
  await using api = await PodServer.start();
  await using _telling = await tell(api);
  await api.received(1);
  api.renewToken('second-token');
  begin('1');
  const patches = await api.received(2);
  expect(patches[1]?.token).toBe('Bearer second-token');
  end('1');
});

test('without a token, or without anybody to tell, it fails once and hurts nobody', async () => {
  using failures = listen(events, 'maintenance.failed');
  const nowhere = new DeletionCost({
    events,
    podUrl: 'https://127.0.0.1:1/pod',
    credentialsFolder: '/nowhere',
    intervalMs,
    shortestMs,
  });
  nowhere.start();
  await failures.first();
  await nowhere.stop();
  expect(failures.all).toHaveLength(1);
});

test('stops at once while the server is silent', async () => {
  await using api = await PodServer.start();
  api.answer = 'hang';
  using deadline = vi.spyOn(AbortSignal, 'timeout');
  deadline.mockReturnValue(new AbortController().signal); // it never comes: only the stop can end the request
  const { cost } = await tell(api);
  await api.received(1);
  await cost.stop();
});

test.skipIf(!hasOpenssl)(
  'trusts the certificate authority of the pod, over HTTPS, and no other',
  async () => {
    await using api = await PodServer.start({ secure: true });
    await using _telling = await tell(api);
    await api.received(1);
    expect(costs(api)).toEqual(['0']);
    await using other = await PodServer.start({ secure: true });
    using failures = listen(events, 'maintenance.failed');
    const { podUrl } = other;
    await using _distrusting = await tell({
      podUrl,
      credentialsFolder: api.credentialsFolder,
    } as PodServer);
    const { error } = await failures.first();
    expect((error as Error & { code?: string }).code).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY|SIGNATURE/);
    expect(other.patches).toEqual([]);
  },
);
