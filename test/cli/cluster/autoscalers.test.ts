import { expect, test } from 'vitest';
import { toAutoscaler } from '../../../src/cli/cluster/autoscalers.ts';
import { describeTargets } from '../../../src/cli/cluster/listings.ts';
import { autoscaler } from '../../support/cluster-objects.ts';

test('an autoscaler tells its bounds, what there is, what it wants and why', () => {
  expect(toAutoscaler(autoscaler('warren-worker', { current: 4, desired: 6, cpu: 163 }))).toEqual({
    name: 'warren-worker',
    target: 'warren-worker',
    min: 2,
    max: 8,
    current: 4,
    desired: 6,
    metrics: [{ name: 'cpu', current: '163%', target: '70%' }],
    problem: undefined,
  });
});

test('what was not measured yet is unknown, and the controller says why', () => {
  const told = toAutoscaler(autoscaler('warren-worker', { problem: 'FailedGetResourceMetric' }));
  expect(told.problem).toBe('FailedGetResourceMetric');
  expect(describeTargets(told)).toBe('cpu: <unknown>/70%');
});

test('one that no controller has looked at wants nothing yet', () => {
  const { status: _, ...fresh } = autoscaler('warren-worker');
  const told = toAutoscaler(fresh);
  expect([told.current, told.desired]).toEqual([undefined, undefined]);
});

test('an external metric reads as the average per pod that it is held to', () => {
  const hpa = autoscaler('warren-worker');
  const metric = { name: 's0-postgresql' };
  if (hpa.spec !== undefined && hpa.status !== undefined) {
    hpa.spec.metrics = [
      { type: 'External', external: { metric, target: { type: 'AverageValue', averageValue: '50' } } },
    ];
    hpa.status.currentMetrics = [
      { type: 'External', external: { metric, current: { averageValue: '123456m' } } },
    ];
  }
  expect(describeTargets(toAutoscaler(hpa))).toBe('s0-postgresql: 123.46/50');
});
