import { describe, expect, test } from 'vitest';
import { isLive, toPod, toUsage } from '../../../src/cli/cluster/pods.ts';
import { deploymentPod, podUse } from '../../support/cluster-objects.ts';

const MIB = 2 ** 20;

describe('a pod', () => {
  test('belongs to the Deployment of its ReplicaSet', () => {
    expect(toPod(deploymentPod('warren-worker', 'x2k4p')).workload).toBe('warren-worker');
  });

  test('belongs to its StatefulSet, or to itself where nobody owns it', () => {
    const pod = deploymentPod('rabbitmq', '0');
    const owner = {
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      name: 'rabbitmq',
      uid: 'u',
      controller: true,
    };
    expect(toPod({ ...pod, metadata: { name: 'rabbitmq-0', ownerReferences: [owner] } }).workload).toBe(
      'rabbitmq',
    );
    expect(toPod({ ...pod, metadata: { name: 'lonely' } }).workload).toBe('lonely');
  });

  test('requests what its containers and sidecars request together, whatever its limits are', () => {
    const requests = [
      { cpu: '250m', memory: '96Mi' },
      { cpu: '1', memory: '32Mi' },
    ];
    const limits = { cpu: '4', memory: '512Mi' };
    const sidecarRequests = { cpu: '50m', memory: '16Mi' };
    const pod = toPod(deploymentPod('warren-api', 'a', { requests, limits, sidecarRequests }));
    expect(pod.requests.cores).toBeCloseTo(1.3);
    expect(pod.requests.bytes).toBe(144 * MIB);
  });

  test('is limited to what its containers and sidecars are together, and not at all where one of them is not', () => {
    const limits = { cpu: '500m', memory: '192Mi' };
    const two = { requests: [{ cpu: '250m' }, { cpu: '1' }], limits };
    const { cores, bytes } = toPod(deploymentPod('warren-api', 'a', two)).limits;
    expect({ cores, bytes }).toEqual({ cores: 1, bytes: 384 * MIB });
    const limited = deploymentPod('warren-api', 'a', { limits });
    const containers = [
      ...(limited.spec?.containers ?? []),
      { name: 'open', resources: { limits: { cpu: '1' } } },
    ];
    const unlimited = toPod({ ...limited, spec: { containers } });
    expect(unlimited.limits).toEqual({ cores: 1.5, bytes: undefined });
    expect(toPod(deploymentPod('warren-api', 'a')).limits).toEqual({ cores: undefined, bytes: undefined });
  });

  test('requests nothing where nothing is requested', () => {
    expect(toPod(deploymentPod('warren-api', 'a', { requests: [{}] })).requests).toEqual({
      cores: undefined,
      bytes: undefined,
    });
  });

  test('uses what its containers use together', () => {
    const pod = deploymentPod('warren-api', 'a');
    const usage = toUsage(
      podUse(pod, { cpu: '212345678n', memory: '90000Ki' }, { cpu: '1m', memory: '1Mi' }),
    );
    expect(usage.cores).toBeCloseTo(0.213345678);
    expect(usage.bytes).toBe(90_000 * 1_024 + MIB);
  });

  test.each([
    ['Running', {}, true],
    ['Pending', { phase: 'Pending', ready: false }, true],
    ['CrashLoopBackOff', { waiting: 'CrashLoopBackOff', ready: false }, true],
    ['ImagePullBackOff', { waiting: 'ImagePullBackOff', ready: false, phase: 'Pending' }, true],
    ['Terminating', { ending: true }, false],
    ['Completed', { phase: 'Succeeded', ready: false }, false],
    ['Failed', { phase: 'Failed', ready: false }, false],
  ] as const)('is %s', (status, options, live) => {
    const pod = toPod(deploymentPod('warren-worker', 'a', options));
    expect(pod.status).toBe(status);
    expect(isLive(pod)).toBe(live);
  });

  test('tells since when it is ready, and nothing of the kind while it is not', () => {
    expect(toPod(deploymentPod('w', 'a')).readyAt?.toISOString()).toBe('2026-01-01T00:00:08.000Z');
    expect(toPod(deploymentPod('w', 'a', { ready: false })).readyAt).toBeUndefined();
  });
});
