import { expect, test } from 'vitest';
import { Phases } from '../../../bench/scale-out/phases.ts';
import type { Phase } from '../../../bench/scale-out/timeline.ts';
import { toPoint } from '../../../bench/scale-out/timeline.ts';
import { deploymentPod, podUse } from '../../support/cluster-objects.ts';
import type { SnapshotParts } from '../../support/snapshots.ts';
import { createSnapshot, queue } from '../../support/snapshots.ts';

function workers(count: number, cpu: string): SnapshotParts {
  const pods = Array.from({ length: count }, (_, index) => deploymentPod('warren-worker', `p${index}`));
  return { pods, metrics: pods.map((pod) => podUse(pod, { cpu, memory: '64Mi' })) };
}

function phasesOf(...moments: [seconds: number, phase: Phase, parts: SnapshotParts][]): Phases {
  const phases = new Phases();
  for (const [seconds, phase, parts] of moments) {
    const snapshot = createSnapshot(parts);
    const point = toPoint({ seconds, phase, snapshot, requestsPerSecond: null });
    phases.add({ snapshot, point, takenAt: new Date(0) });
  }
  return phases;
}

test('under load the picture is of the moment with most pods, and of those the busiest', () => {
  const phases = phasesOf(
    [10, 'load', workers(2, '900m')],
    [20, 'load', workers(8, '100m')],
    [30, 'load', workers(8, '400m')],
    [40, 'load', workers(8, '200m')],
    [50, 'load', workers(5, '900m')],
    [60, 'load', {}],
  );
  expect(phases.summary('load')?.picture?.point.seconds).toBe(30);
  expect(phases.summary('load')?.seconds).toBe(50);
});

test('before and after it is the last one, unless less was known then', () => {
  const phases = phasesOf(
    [0, 'before', workers(2, '1m')],
    [1, 'before', workers(2, '2m')],
    [2, 'before', { pods: [] }],
    [90, 'after', workers(3, '1m')],
    [91, 'after', workers(2, '1m')],
  );
  expect(phases.summary('before')?.picture?.point.seconds).toBe(1);
  expect(phases.summary('after')?.picture?.point.seconds).toBe(91);
});

test('figures are the mean, the highest and the last of what was known', () => {
  const phases = phasesOf(
    [
      0,
      'load',
      {
        queues: [queue('default', { waiting: 10, running: 5 })],
        jobsPerSecond: 100,
        connections: { 'warren-api@a:1': 4, psql: 1 },
      },
    ],
    [1, 'load', {}],
    [
      2,
      'load',
      {
        queues: [queue('default', { waiting: 2, running: 1 })],
        jobsPerSecond: 300,
        connections: { 'warren-api@a:1': 2 },
      },
    ],
  );
  const { depth, jobsPerSecond, requestsPerSecond, databaseConnections } = phases.summary('load') ?? {};
  expect(depth).toEqual({ mean: 9, most: 15, last: 3 });
  expect(jobsPerSecond).toEqual({ mean: 200, most: 300, last: 300 });
  expect(requestsPerSecond).toEqual({ mean: null, most: null, last: null });
  expect(databaseConnections).toEqual({
    'warren-api': { mean: 3, most: 4, last: 2 },
    psql: { mean: 0.5, most: 1, last: 0 },
  });
});

test('a phase that was never reached has no summary', () => {
  expect(phasesOf([0, 'before', {}]).summary('load')).toBeUndefined();
});
