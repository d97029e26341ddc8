// Objects as a cluster has them, in few words: pods, their measured use, autoscalers.
import type { PodMetric, V1Pod, V2HorizontalPodAutoscaler } from '@kubernetes/client-node';

export interface PodOptions {
  ready?: boolean;
  phase?: string;
  /** A container waits for this reason: `CrashLoopBackOff`. */
  waiting?: string;
  ending?: boolean;
  restarts?: number;
  createdAt?: string;
  readyAt?: string;
  /** One entry per container. */
  requests?: Record<string, string>[];
  sidecarRequests?: Record<string, string>;
  limits?: Record<string, string>;
  labels?: Record<string, string>;
}

const HASH = '5d9f7c6b8';

/** The JSON of a pod of a Deployment, as it comes over the wire: times are text. */
export function deploymentPod(deployment: string, id: string, options: PodOptions = {}): V1Pod {
  const { ready = true, phase = 'Running', waiting, ending = false, restarts = 0 } = options;
  const { createdAt = '2026-01-01T00:00:00Z', readyAt = '2026-01-01T00:00:08Z' } = options;
  const { requests = [{ cpu: '200m', memory: '96Mi' }], sidecarRequests, limits, labels = {} } = options;
  const resources = (one: Record<string, string>) =>
    limits === undefined ? { requests: one } : { requests: one, limits };
  const pod = {
    metadata: {
      name: `${deployment}-${HASH}-${id}`,
      namespace: 'warren',
      labels: { 'pod-template-hash': HASH, ...labels },
      creationTimestamp: createdAt,
      ...(ending ? { deletionTimestamp: '2026-01-01T01:00:00Z' } : {}),
      ownerReferences: [
        {
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          name: `${deployment}-${HASH}`,
          uid: 'uid',
          controller: true,
        },
      ],
    },
    spec: {
      containers: requests.map((one, index) => ({ name: `container-${index}`, resources: resources(one) })),
      ...(sidecarRequests === undefined
        ? {}
        : {
            initContainers: [
              { name: 'sidecar', restartPolicy: 'Always', resources: resources(sidecarRequests) },
            ],
          }),
    },
    status: {
      phase,
      conditions: [
        {
          type: 'Ready',
          status: ready ? 'True' : 'False',
          ...(ready ? { lastTransitionTime: readyAt } : {}),
        },
      ],
      containerStatuses: [
        {
          name: 'container-0',
          restartCount: restarts,
          ready,
          state: waiting === undefined ? {} : { waiting: { reason: waiting } },
        },
      ],
    },
  };
  return pod as unknown as V1Pod; // the client turns the times into dates, not the server
}

export function podUse(pod: V1Pod, ...usages: { cpu: string; memory: string }[]): PodMetric {
  return {
    metadata: {
      name: pod.metadata?.name ?? '',
      namespace: 'warren',
      selfLink: '',
      creationTimestamp: '',
      ...(pod.metadata?.labels && { labels: pod.metadata.labels }), // metrics-server passes them on
    },
    timestamp: '2026-01-01T00:10:00Z',
    window: '15s',
    containers: usages.map((usage, index) => ({ name: `container-${index}`, usage })),
  };
}

export interface AutoscalerOptions {
  current?: number;
  desired?: number;
  /** Percent of the requests; undefined: not measured yet. */
  cpu?: number | undefined;
  /** Undefined: it scales. */
  problem?: string;
  labels?: Record<string, string>;
}

/** From 2 to 8 pods at 70 % CPU. */
export function autoscaler(target: string, options: AutoscalerOptions = {}): V2HorizontalPodAutoscaler {
  const { current = 2, desired = current, cpu, problem, labels = {} } = options;
  const measured = {
    type: 'Resource',
    resource: { name: 'cpu', current: { averageUtilization: cpu, averageValue: '10m' } },
  };
  return {
    metadata: { name: target, namespace: 'warren', labels },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: target },
      minReplicas: 2,
      maxReplicas: 8,
      metrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
        },
      ],
    },
    status: {
      currentReplicas: current,
      desiredReplicas: desired,
      ...(cpu === undefined ? {} : { currentMetrics: [measured] }),
      conditions: [
        { type: 'AbleToScale', status: 'True' },
        {
          type: 'ScalingActive',
          status: problem === undefined ? 'True' : 'False',
          ...(problem === undefined ? {} : { reason: problem }),
        },
      ],
    },
  } as V2HorizontalPodAutoscaler;
}
