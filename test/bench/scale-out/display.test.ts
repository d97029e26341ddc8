import { describe, expect, test } from 'vitest';
import { Display } from '../../../bench/scale-out/display.ts';
import type { View } from '../../../bench/scale-out/screen.ts';
import { renderLine, renderScreen } from '../../../bench/scale-out/screen.ts';
import { toPoint } from '../../../bench/scale-out/timeline.ts';
import { autoscaler, deploymentPod, podUse } from '../../support/cluster-objects.ts';
import type { SnapshotParts } from '../../support/snapshots.ts';
import { createSnapshot, queue } from '../../support/snapshots.ts';

const pods = [
  deploymentPod('warren-worker', 'a', { restarts: 1 }),
  deploymentPod('warren-worker', 'b', { ready: false, phase: 'Pending' }),
];
const whole: SnapshotParts = {
  pods,
  metrics: pods.slice(0, 1).map((pod) => podUse(pod, { cpu: '212m', memory: '88Mi' })),
  autoscalers: [autoscaler('warren-worker', { current: 2, desired: 4, cpu: 106 })],
  queues: [queue('default', { waiting: 1_234, running: 400 }), queue('reports', { consumers: 5 })],
  jobsPerSecond: 2_310,
  connections: { 'warren-api@a:1': 10, 'warren-worker@b:2': 6 },
};

function viewOf(parts: SnapshotParts, seconds = 74): View {
  const snapshot = createSnapshot(parts);
  return {
    snapshot,
    point: toPoint({ seconds, phase: 'load', snapshot, requestsPerSecond: 2_290 }),
    phaseSeconds: 44,
    until: 'of 120 s',
    namespace: 'warren',
    load: {
      what: 'GET /api/test/:id',
      answered: 98_765,
      failed: 2,
      failure: '503 at /api/test/:id',
      perSecond: 2_290,
      rounds: 32,
      lastRound: {
        number: 32,
        requests: 3_000,
        failed: 0,
        seconds: 1.31,
        perSecond: 2_290,
        p50Ms: 31,
        p99Ms: 88,
      },
      isHolding: false,
    },
    now: new Date('2026-01-01T00:05:00Z'),
  };
}

const wide = { rows: 50, columns: 200 };

describe('the screen', () => {
  test('shows what kubectl top pods and kubectl get hpa show, and the queues, the load and Postgres', () => {
    expect(renderScreen(viewOf(whole), wide)).toEqual([
      'Warren scale-out, namespace warren   under load 00:44 of 120 s   total 01:14',
      '',
      'POD                        READY  STATUS   RESTARTS  AGE   CPU  %REQ  %LIM  MEMORY  %REQ  %LIM',
      'warren-worker-5d9f7c6b8-a  yes    Running         1   5m  212m  106%  none    88Mi   92%  none',
      'warren-worker-5d9f7c6b8-b  no     Pending         0   5m     –     –  none       –     –  none',
      '',
      'AUTOSCALER     SCALES         CURRENT  DESIRED  MIN  MAX  MEASURES',
      'warren-worker  warren-worker        2        4    2    8  cpu: 106%/70%',
      '',
      'QUEUE    WAITING  RUNNING  CONSUMERS',
      'default     1234      400         20',
      'reports        0        0          5',
      '(all)       1234      400         25',
      '',
      'Jobs/s     2 310',
      'Requests   2 290/s GET /api/test/:id, 98 765 answered, round 32 1.31 s p50 31 ms p99 88 ms, failed 2 (503 at /api/test/:id)',
      'Postgres   warren-api 10, warren-worker 6 (16 of 97)',
    ]);
  });

  test('says unknown, and why, where nothing is known', () => {
    const lines = renderScreen(viewOf({}), wide);
    for (const line of ['pods: unknown', 'autoscalers: unknown', 'queues: unknown', 'Jobs/s     unknown'])
      expect(lines).toContain(line);
    expect(lines).toContain('! pods, CPU and memory, autoscalers, queues unknown: nobody answers');
  });

  test('tells where there are no pods and no autoscalers', () => {
    const lines = renderScreen(viewOf({ pods: [], autoscalers: [], metrics: [], queues: [] }), wide);
    expect(lines).toContain('no pods');
    expect(lines).toContain('no autoscalers');
  });

  test('tells why an autoscaler does not scale', () => {
    const stuck = autoscaler('warren-worker', { problem: 'FailedGetResourceMetric' });
    const lines = renderScreen(viewOf({ ...whole, autoscalers: [stuck] }), wide);
    expect(lines.find((line) => line.startsWith('warren-worker '))).toMatch(
      /<unknown>\/70%.* FailedGetResourceMetric$/,
    );
  });

  test.each([
    [24, 80],
    [10, 40],
    [5, 20],
  ])('fits a terminal of %i × %i, however many pods there are', (rows, columns) => {
    const many = Array.from({ length: 60 }, (_, index) => deploymentPod('warren-worker', `p${index}`));
    const lines = renderScreen(viewOf({ ...whole, pods: many }), { rows, columns });
    expect(lines.length).toBeLessThan(rows);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(columns);
  });

  test('says how many pods do not fit', () => {
    const many = Array.from({ length: 60 }, (_, index) => deploymentPod('warren-worker', `p${index}`));
    const lines = renderScreen(viewOf({ ...whole, pods: many }), { rows: 40, columns: 120 });
    const shown = lines.filter((line) => line.includes('-p')).length;
    expect(lines).toContain(`… and ${60 - shown} more`);
  });
});

test('one line tells the same', () => {
  expect(renderLine(viewOf(whole))).toBe(
    '01:14 under load  warren-worker 1 ready, 2→4 (2–8) cpu: 106%/70%; jobs 1 234 waiting, 400 running; consumers 25; jobs/s 2 310; req/s 2 290, failed 2; pg warren-api 10, warren-worker 6 (16 of 97)',
  );
  expect(renderLine(viewOf({}))).toContain('jobs unknown waiting, unknown running');
});

describe('the display', () => {
  function write(isTTY: boolean, work: (display: Display) => void): string {
    const texts: string[] = [];
    work(new Display({ isTTY, rows: 40, columns: 120, write: (text) => texts.push(text) }));
    return texts.join('');
  }

  test('draws over its last view on a terminal, and gives the cursor back', () => {
    const height = renderScreen(viewOf(whole), { rows: 40, columns: 120 }).length;
    const written = write(true, (display) => {
      display.show(viewOf(whole));
      display.show(viewOf(whole));
      display.finish();
    });
    expect(written.split(`\x1b[${height}F\x1b[J`)).toHaveLength(2);
    expect(written.endsWith('\x1b[?25h')).toBe(true);
  });

  test('prints a line now and then where there is no terminal, and at once when the phase changes', () => {
    const written = write(false, (display) => {
      for (const seconds of [0, 2, 4, 6, 8]) display.show(viewOf(whole, seconds));
      const view = viewOf(whole, 9);
      display.show({ ...view, point: { ...view.point, phase: 'after' } });
      display.finish();
    });
    const starts = written
      .trimEnd()
      .split('\n')
      .map((line) => line.slice(0, 16).trimEnd());
    expect(starts).toEqual(['00:00 under load', '00:06 under load', '00:09 after']);
    expect(written).not.toContain('\x1b');
  });
});
