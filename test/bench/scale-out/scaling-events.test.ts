import { describe, expect, test } from 'vitest';
import { findReactions } from '../../../bench/scale-out/reactions.ts';
import { MAX_EVENTS, ScalingEvents } from '../../../bench/scale-out/scaling-events.ts';
import { isSettled } from '../../../bench/scale-out/settled.ts';
import type { Phase, Point } from '../../../bench/scale-out/timeline.ts';
import { toPoint } from '../../../bench/scale-out/timeline.ts';
import { autoscaler, deploymentPod } from '../../support/cluster-objects.ts';
import type { SnapshotParts } from '../../support/snapshots.ts';
import { createSnapshot, queue } from '../../support/snapshots.ts';

const worker = (id: string, options = {}) => deploymentPod('warren-worker', id, options);
const idle = [queue('default')];

describe('the events', () => {
  function eventsOf(...moments: SnapshotParts[]): string[] {
    const events = new ScalingEvents();
    for (const [index, moment] of moments.entries()) events.look(createSnapshot(moment), index * 10);
    return events.all.map(({ seconds, text }) => `${seconds} ${text}`);
  }

  test('what is there at the beginning is none', () => {
    expect(eventsOf({ pods: [worker('a')], autoscalers: [autoscaler('warren-worker')] })).toEqual([]);
  });

  test('tell what an autoscaler wants and why, and what becomes of the pods', () => {
    const grown = autoscaler('warren-worker', { current: 2, desired: 3, cpu: 163 });
    const name = 'warren-worker-5d9f7c6b8-b';
    expect(
      eventsOf(
        { pods: [worker('a')], autoscalers: [autoscaler('warren-worker', { cpu: 20 })] },
        { pods: [worker('a'), worker('b', { ready: false, phase: 'Pending' })], autoscalers: [grown] },
        { pods: [worker('a'), worker('b')], autoscalers: [grown] },
        {
          pods: [worker('a', { restarts: 1 }), worker('b', { ending: true, ready: false })],
          autoscalers: [grown],
        },
        { pods: [worker('a', { restarts: 1 })], autoscalers: [grown] },
      ),
    ).toEqual([
      '10 warren-worker: 2 → 3 replicas wanted (cpu 163%/70%)',
      `10 ${name} is created`,
      `20 ${name} is ready, 8 s after it was created`,
      '30 warren-worker-5d9f7c6b8-a was restarted',
      `30 ${name} ends (Terminating)`,
      `40 ${name} is gone`,
    ]);
  });

  test('nothing is concluded from what is not known in between', () => {
    const known = { pods: [worker('a')], autoscalers: [autoscaler('warren-worker')] };
    expect(eventsOf(known, {}, { pods: undefined, autoscalers: [] }, known)).toEqual([]);
  });

  test('are bounded, and it is told how many are missing', () => {
    const events = new ScalingEvents();
    for (let second = 0; second <= MAX_EVENTS + 50; second += 1) {
      const desired = 2 + (second % 2);
      events.look(createSnapshot({ autoscalers: [autoscaler('warren-worker', { desired })] }), second);
    }
    expect(events.all).toHaveLength(MAX_EVENTS);
    expect([events.dropped, events.all.at(-1)?.seconds]).toEqual([50, MAX_EVENTS + 50]);
  });
});

describe('the fleet is small and idle', () => {
  const small = {
    pods: [worker('a'), worker('b')],
    autoscalers: [autoscaler('warren-worker')],
    queues: idle,
  };

  test.each<[string, boolean, SnapshotParts]>([
    ['when nothing waits and every autoscaler is at its minimum', true, small],
    ['not while something waits', false, { ...small, queues: [queue('default', { waiting: 1 })] }],
    ['not while something is under way', false, { ...small, queues: [queue('default', { running: 1 })] }],
    ['not while the queues are not known', false, { ...small, queues: undefined }],
    [
      'not while more pods are wanted',
      false,
      { ...small, autoscalers: [autoscaler('warren-worker', { desired: 3 })] },
    ],
    [
      'not while more pods are there',
      false,
      { ...small, autoscalers: [autoscaler('warren-worker', { current: 3, desired: 2 })] },
    ],
    ['not while a pod is ending', false, { ...small, pods: [...small.pods, worker('c', { ending: true })] }],
    ['when nothing waits and no autoscaler is known', true, { queues: idle }],
    ['when nothing waits and there is no autoscaler', true, { ...small, autoscalers: [] }],
  ])('%s', (_, expected, parts) => {
    expect(isSettled(createSnapshot(parts))).toBe(expected);
  });
});

describe('the reactions', () => {
  function pointsOf(
    ...moments: [seconds: number, phase: Phase, ready: number | undefined, depth?: number][]
  ): Point[] {
    return moments.map(([seconds, phase, ready, depth = 0]) => {
      const pods =
        ready === undefined ? undefined : Array.from({ length: ready }, (_, index) => worker(`p${index}`));
      const snapshot = createSnapshot({ pods, queues: [queue('default', { waiting: depth })] });
      return toPoint({ seconds, phase, snapshot, requestsPerSecond: null });
    });
  }

  test('tell when the fleet was asked to grow, grew, was largest, shrank and was small again', () => {
    const points = pointsOf(
      [0, 'before', 2],
      [30, 'load', 2, 50],
      [45, 'load', undefined, 90],
      [60, 'load', 5, 70],
      [90, 'load', 8, 10],
      [120, 'after', 8, 5],
      [130, 'after', 8],
      [200, 'after', 7],
      [300, 'after', 2],
    );
    const event = { workload: 'warren-worker', text: '' };
    const events = [
      { ...event, seconds: 40, kind: 'desired' as const },
      { ...event, seconds: 55, kind: 'ready' as const },
      { ...event, seconds: 90, kind: 'ready' as const },
    ];
    const { loadSeconds, steps } = findReactions({
      points,
      events,
      workloads: ['warren-worker'],
      isSending: true,
    });
    expect(loadSeconds).toBe(30);
    expect(steps.map(({ seconds, what }) => `${seconds} ${what}`)).toEqual([
      '30 the load begins',
      '40 warren-worker: the autoscaler wants more pods',
      '55 warren-worker: the first new pod is ready',
      '90 warren-worker: at its largest, 8 pods ready',
      '120 the load ends',
      '130 nothing waits and nothing is under way any more',
      '200 warren-worker: begins to shrink',
      '300 warren-worker: back at 2 pods',
    ]);
  });

  test('know nothing of a load that somebody else sends', () => {
    const points = pointsOf([0, 'before', 2], [30, 'load', 5], [60, 'after', 2]);
    const { loadSeconds, steps } = findReactions({
      points,
      events: [],
      workloads: ['warren-worker'],
      isSending: false,
    });
    expect(loadSeconds).toBeUndefined();
    expect(steps.map(({ what }) => what)).toEqual([
      'warren-worker: at its largest, 5 pods ready',
      'warren-worker: begins to shrink',
      'warren-worker: back at 2 pods',
    ]);
  });

  test('say nothing of a fleet that stayed as it was, or of a load that never began', () => {
    const steady = pointsOf([0, 'before', 2], [30, 'load', 2], [60, 'after', 2]);
    const { steps } = findReactions({
      points: steady,
      events: [],
      workloads: ['warren-worker'],
      isSending: true,
    });
    expect(steps.map(({ what }) => what)).toEqual([
      'the load begins',
      'the load ends',
      'nothing waits and nothing is under way any more',
    ]);
    const watched = findReactions({
      points: pointsOf([0, 'before', 2]),
      events: [],
      workloads: [],
      isSending: true,
    });
    expect(watched).toEqual({ loadSeconds: undefined, steps: [] });
  });
});
