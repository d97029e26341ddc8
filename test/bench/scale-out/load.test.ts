import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LoadOptions } from '../../../bench/scale-out/load.ts';
import { Load } from '../../../bench/scale-out/load.ts';
import type { LoadPlan } from '../../../bench/scale-out/load-plan.ts';
import { toRequest } from '../../../bench/scale-out/load-plan.ts';
import type { QueueState } from '../../../bench/scale-out/queues.ts';
import type { Reading } from '../../../src/cli/cluster/reading.ts';
import { eventually } from '../../support/eventually.ts';
import { queue } from '../../support/snapshots.ts';
import { WarrenApiDouble } from '../../support/warren-api-double.ts';

const article: LoadPlan = { type: 'process-order', batch: 1, orders: 7, days: 30, webhookUrl: undefined };

describe('a request', () => {
  test('is the article’s, for one order after the other', () => {
    const requests = [0, 6, 7].map((number) => toRequest(article, number));
    expect(requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /api/test/1',
      'GET /api/test/7',
      'GET /api/test/1',
    ]);
  });

  test('enqueues a batch of other orders each time', () => {
    const [first, second] = [0, 1].map((number) => toRequest({ ...article, batch: 3 }, number));
    const ordersOf = (body: string | undefined) =>
      JSON.parse(body ?? '').jobs.map(({ args }: { args: { orderId: string } }) => args.orderId);
    expect(first).toMatchObject({ method: 'POST', path: '/v1/jobs/batch', jobs: 3 });
    expect([ordersOf(first?.body), ordersOf(second?.body)]).toEqual([
      ['1', '2', '3'],
      ['4', '5', '6'],
    ]);
  });

  test('enqueues slow reports, or webhooks', () => {
    const report = toRequest({ ...article, type: 'build-report' }, 0);
    expect(JSON.parse(report.body ?? '')).toEqual({ jobs: [{ type: 'build-report', args: { days: 30 } }] });
    const webhook = toRequest({ ...article, type: 'deliver-webhook', webhookUrl: 'http://receiver/hook' }, 4);
    expect(JSON.parse(webhook.body ?? '').jobs[0]).toMatchObject({
      type: 'deliver-webhook',
      args: { url: 'http://receiver/hook', method: 'GET' },
    });
  });
});

describe('the load', () => {
  let api: WarrenApiDouble;
  const stopping = () => new AbortController();

  beforeEach(async () => {
    api = await WarrenApiDouble.start();
  });

  afterEach(async () => {
    await api[Symbol.asyncDispose]();
  });

  function createLoad(options: Partial<LoadOptions> = {}): Load {
    const usual = {
      requests: 40,
      concurrency: 5,
      maxWaiting: 1_000,
      queues: () => toldThat(0),
      token: undefined,
    };
    return new Load({ url: api.url, plan: article, ...usual, ...options });
  }

  async function runUntil(load: Load, satisfies: () => boolean): Promise<void> {
    const controller = stopping();
    const running = load.run(controller.signal);
    await eventually(satisfies, (isSatisfied) => isSatisfied);
    controller.abort();
    await running;
  }

  test('goes round after round, so many requests at a time and no more, until it is told to stop', async () => {
    api.gather = 5;
    const load = createLoad();
    await runUntil(load, () => load.rounds >= 3);
    expect(load.lastRound).toMatchObject({ requests: 40, failed: 0 });
    expect(load.lastRound?.p99Ms).toBeGreaterThanOrEqual(load.lastRound?.p50Ms ?? Number.NaN);
    expect(load.answered).toBeGreaterThanOrEqual(120);
    expect(load.jobs).toBe(load.answered);
    expect(api.mostAtOnce).toBe(5);
    expect(api.received.length).toBe(load.answered);
  });

  test('opens new connections each round, and only then, so that pods that have come since get their share', async () => {
    const load = createLoad();
    await runUntil(load, () => load.rounds >= 4);
    expect(api.connections).toBeGreaterThanOrEqual(4 * 5);
    expect(api.connections).toBeLessThanOrEqual((load.rounds + 1) * 5);
  });

  test('shows the token', async () => {
    const load = createLoad({ token: 'secret' });
    await runUntil(load, () => load.answered > 0);
    expect(api.received[0]?.authorization).toBe('Bearer secret');
  });

  test.each([
    [503, '503 at /api/test/:id'],
    [404, '404 at /api/test/:id'],
    ['cut', 'socket hang up'],
  ] as const)(
    'counts what fails (%s), asks less often, and goes on when it is over',
    async (behaviour, reason) => {
      api.loadBehaviour = behaviour;
      const load = createLoad();
      const controller = stopping();
      const running = load.run(controller.signal);
      await eventually(
        () => load.failed,
        (failed) => failed >= 15,
      );
      expect(load).toMatchObject({ answered: 0, failure: reason, rounds: 0 });
      api.loadBehaviour = 200;
      await eventually(
        () => load.answered,
        (answered) => answered >= 100,
      );
      controller.abort();
      await running;
    },
  );

  test('survives a server that is not there', async () => {
    await using gone = await WarrenApiDouble.start();
    const url = gone.url;
    await gone[Symbol.asyncDispose]();
    const load = createLoad({ url });
    await runUntil(load, () => load.failed >= 10);
    expect(load.failure).toContain('ECONNREFUSED');
  });

  test('waits while too many jobs wait, and goes on when the workers have caught up', async () => {
    let told = toldThat(5_000);
    const load = createLoad({ queues: () => told, maxWaiting: 4_999 });
    const controller = stopping();
    const running = load.run(controller.signal);
    await eventually(
      () => load.holding,
      (isHolding) => isHolding,
    );
    expect(api.received).toEqual([]);
    told = toldThat(4_900);
    await eventually(
      () => load.answered,
      (answered) => answered >= 100,
    );
    await eventually(
      () => load.holding,
      (isHolding) => isHolding,
    );
    controller.abort();
    await running;
    expect(load.answered).toBeLessThan(100 + 5); // what was sent since it was told counts as waiting
  });

  test('holds nothing back while nobody knows what waits', async () => {
    const load = createLoad({ queues: () => ({ ok: false, reason: 'nobody answers' }), maxWaiting: 1 });
    await runUntil(load, () => load.answered > 100);
    expect(load.failed).toBe(0);
  });
});

function toldThat(waiting: number): Reading<readonly QueueState[]> {
  return { ok: true, value: [queue('default', { waiting })] };
}
