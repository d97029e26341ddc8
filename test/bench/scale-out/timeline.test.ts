import { describe, expect, test } from 'vitest';
import type { Point } from '../../../bench/scale-out/timeline.ts';
import { MAX_POINTS, Timeline, toPoint } from '../../../bench/scale-out/timeline.ts';
import { autoscaler, deploymentPod, podUse } from '../../support/cluster-objects.ts';
import { createSnapshot, queue } from '../../support/snapshots.ts';

function pointAt(seconds: number): Point {
  return toPoint({ seconds, phase: 'load', snapshot: createSnapshot({}), requestsPerSecond: null });
}

describe('the timeline', () => {
  test('holds a bounded number of points however long it gets, evenly spread, the first and the latest among them', () => {
    const timeline = new Timeline();
    const hours = 24;
    const last = hours * 1_800;
    for (let sample = 0; sample <= last; sample += 1) timeline.add(pointAt(sample * 2));
    const seconds = timeline.points.map((point) => point.seconds);
    expect(seconds.length).toBeLessThanOrEqual(MAX_POINTS);
    expect(seconds.length).toBeGreaterThan(MAX_POINTS / 2);
    expect([seconds[0], seconds.at(-1)]).toEqual([0, last * 2]);
    const gaps = seconds.slice(1, -1).map((second, index) => second - (seconds[index] ?? 0));
    expect(new Set(gaps).size).toBe(1);
  });

  test('keeps everything while it is short', () => {
    const timeline = new Timeline();
    for (let sample = 0; sample < 100; sample += 1) timeline.add(pointAt(sample));
    expect(timeline.points).toHaveLength(100);
  });
});

describe('a point', () => {
  test('counts the pods that are there, ready, wanted and measured, by workload', () => {
    const pods = [
      deploymentPod('warren-worker', 'a'),
      deploymentPod('warren-worker', 'b', { ready: false }),
      deploymentPod('warren-worker', 'c', { ending: true }),
      deploymentPod('warren-api', 'a'),
    ];
    const snapshot = createSnapshot({
      pods,
      metrics: pods.slice(0, 1).map((pod) => podUse(pod, { cpu: '250m', memory: '64Mi' })),
      autoscalers: [autoscaler('warren-worker', { current: 2, desired: 5 })],
      queues: [queue('default', { waiting: 7, running: 3 }), queue('reports', { waiting: 1, consumers: 5 })],
      connections: { 'warren-worker@a:1': 4, 'warren-worker@a:1 presence': 1, 'warren-api@b:2': 3, psql: 1 },
      jobsPerSecond: 12,
    });
    expect(toPoint({ seconds: 9, phase: 'load', snapshot, requestsPerSecond: 11 })).toEqual({
      seconds: 9,
      phase: 'load',
      workloads: {
        'warren-worker': { pods: 2, ready: 1, desired: 5, cores: 0.25, bytes: 64 * 2 ** 20 },
        'warren-api': { pods: 1, ready: 1, desired: null, cores: null, bytes: null },
      },
      waiting: 8,
      running: 3,
      consumers: 25,
      jobsPerSecond: 12,
      requestsPerSecond: 11,
      databaseConnections: { 'warren-worker': 5, 'warren-api': 3, psql: 1 },
    });
  });

  test('says null for what is not known, never 0', () => {
    const { workloads, waiting, running, consumers, databaseConnections } = pointAt(0);
    expect([workloads, waiting, running, consumers, databaseConnections]).toEqual([
      null,
      null,
      null,
      null,
      null,
    ]);
    const partly = createSnapshot({
      queues: [queue('default', { waiting: 5 }), queue('reports', { consumers: null })],
    });
    expect(toPoint({ seconds: 0, phase: 'load', snapshot: partly, requestsPerSecond: null })).toMatchObject({
      waiting: 5,
      running: 0,
      consumers: null,
    });
  });
});
