/**
 * Pods as `kubectl top pods` and `kubectl get pods` tell of them together: state, use, and what was requested. Pure.
 * Requests are added up here: the client's `topPods` (2.0.1) adds a pod's memory limits to its requests, and finds use by the pod's name alone.
 */
import type { PodMetric, V1Container, V1Pod } from '@kubernetes/client-node';
import { parseQuantity } from './quantity.ts';

export interface Resources {
  /** Undefined: not told. */
  cores: number | undefined;
  bytes: number | undefined;
}

export interface Pod {
  name: string;
  /** The Deployment, StatefulSet or Job that it belongs to, or its own name. */
  workload: string;
  /** As `kubectl get pods` has it: `Running`, `Pending`, `Terminating`, `CrashLoopBackOff` … */
  status: string;
  ready: boolean;
  restarts: number;
  createdAt: Date | undefined;
  /** Since when it has been ready. */
  readyAt: Date | undefined;
  requests: Resources;
  /** Undefined where a container of it has none: then the pod has none. */
  limits: Resources;
}

export function toPod(pod: V1Pod): Pod {
  const { metadata, spec, status } = pod;
  const containers = status?.containerStatuses ?? [];
  const condition = status?.conditions?.find(({ type }) => type === 'Ready');
  const ready = condition?.status === 'True';
  const running = [...(spec?.containers ?? []), ...(spec?.initContainers ?? []).filter(isSidecar)];
  return {
    name: metadata?.name ?? '',
    workload: workloadOf(pod),
    status: describeStatus(pod),
    ready,
    restarts: containers.reduce((sum, { restartCount }) => sum + restartCount, 0),
    createdAt: toDate(metadata?.creationTimestamp),
    readyAt: ready ? toDate(condition.lastTransitionTime) : undefined,
    requests: sumResources(running.map(({ resources }) => resources?.requests)),
    limits: sumLimits(running),
  };
}

/** What all containers of a pod use together. */
export function toUsage({ containers }: PodMetric): Resources {
  return sumResources(containers.map(({ usage }) => usage));
}

/** Whether it counts as a replica: it has neither ended nor been told to. */
export function isLive({ status }: Pod): boolean {
  return !['Terminating', 'Completed', 'Succeeded', 'Failed', 'Evicted'].includes(status);
}

/** A ReplicaSet is named for its Deployment and the hash of its template. */
function workloadOf({ metadata }: V1Pod): string {
  const name = metadata?.name ?? '';
  const owner = metadata?.ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return name;
  const hash = metadata?.labels?.['pod-template-hash'];
  return owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`)
    ? owner.name.slice(0, -hash.length - 1)
    : owner.name;
}

function describeStatus({ metadata, status }: V1Pod): string {
  if (metadata?.deletionTimestamp !== undefined) return 'Terminating';
  const states = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const waiting = states.find(({ state }) => state?.waiting?.reason !== undefined)?.state?.waiting?.reason;
  if (waiting !== undefined && waiting !== 'PodInitializing') return waiting;
  return status?.reason ?? (status?.phase === 'Succeeded' ? 'Completed' : (status?.phase ?? 'Unknown'));
}

function isSidecar({ restartPolicy }: V1Container): boolean {
  return restartPolicy === 'Always';
}

function sumResources(all: readonly (Amounts | undefined)[]): Resources {
  const total = (resource: 'cpu' | 'memory') => {
    const amounts = all.flatMap((one) => parseQuantity(one?.[resource] ?? '') ?? []);
    return amounts.length === 0 ? undefined : amounts.reduce((sum, amount) => sum + amount, 0);
  };
  return { cores: total('cpu'), bytes: total('memory') };
}

/** What one container may use without a limit, the pod may. */
function sumLimits(containers: readonly V1Container[]): Resources {
  const limits = containers.map(({ resources }) => resources?.limits);
  const { cores, bytes } = sumResources(limits);
  const areAllSet = (resource: 'cpu' | 'memory') => limits.every((one) => one?.[resource] !== undefined);
  return { cores: areAllSet('cpu') ? cores : undefined, bytes: areAllSet('memory') ? bytes : undefined };
}

/** As quantities. */
type Amounts = { cpu?: string; memory?: string };

function toDate(time: Date | string | undefined): Date | undefined {
  const date = time === undefined ? undefined : new Date(time);
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date;
}
