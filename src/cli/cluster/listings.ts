/**
 * A moment of a cluster as text: pods as `kubectl top pods` has them, autoscalers as `kubectl get hpa`. Pure.
 *
 * What is not known is `–`; why, and what to do, is told by `describeProblems`.
 */
import type { Column } from '../api-commands.ts';
import type { TextOptions } from '../text-table.ts';
import { fitColumns, textTable, toText } from '../text-table.ts';
import type { Autoscaler } from './autoscalers.ts';
import type { ClusterSnapshot } from './cluster-watcher.ts';
import { formatAge, formatBytes, formatCores, formatShare } from './figures.ts';
import type { Pod, Resources } from './pods.ts';
import type { Reading } from './reading.ts';

const podColumns: readonly Column[] = [
  ['POD', 'name'],
  ['READY', 'ready'],
  ['STATUS', 'status'],
  ['RESTARTS', 'restarts'],
  ['AGE', 'age'],
  ['CPU', 'cpu'],
  ['%REQ', 'cpuOfRequest'],
  ['%LIM', 'cpuOfLimit'],
  ['MEMORY', 'memory'],
  ['%REQ', 'memoryOfRequest'],
  ['%LIM', 'memoryOfLimit'],
];
/** What a narrow terminal does without, the first ones first. */
const leastOfPods = ['age', 'ready', 'restarts', 'memoryOfRequest', 'cpuOfLimit'];

const autoscalerColumns: readonly Column[] = [
  ['AUTOSCALER', 'name'],
  ['SCALES', 'target'],
  ['CURRENT', 'current'],
  ['DESIRED', 'desired'],
  ['MIN', 'min'],
  ['MAX', 'max'],
  ['MEASURES', 'measures'],
];
const problemColumn: Column = ['PROBLEM', 'problem'];
const leastOfAutoscalers = ['target'];

export interface PodListing {
  now: Date;
  options: TextOptions;
  /** At most so many pods; how many are left out is said. Defaults to all. */
  most?: number;
}

export function listPods(
  { pods, usage }: Pick<ClusterSnapshot, 'pods' | 'usage'>,
  { now, options, most = Number.POSITIVE_INFINITY }: PodListing,
): string {
  if (!pods.ok) return 'pods: unknown';
  if (pods.value.length === 0) return 'no pods';
  const shown = pods.value.slice(0, most);
  const rows = shown.map((pod) => toPodRow(pod, usage.ok ? usage.value.get(pod.name) : undefined, now));
  const columns = fitColumns(rows, podColumns, { options, least: leastOfPods });
  const left = pods.value.length - shown.length;
  return `${textTable(rows, columns, options)}${left > 0 ? `\n… and ${left} more` : ''}`;
}

const unmeasured: Resources = { cores: undefined, bytes: undefined };

function toPodRow(pod: Pod, used: Resources = unmeasured, now: Date): object {
  const { name, ready, status, restarts, requests, limits, createdAt } = pod;
  return {
    name,
    ready: ready ? 'yes' : 'no',
    status,
    restarts,
    age: formatAge(createdAt, now),
    cpu: formatCores(used.cores),
    cpuOfRequest: formatShare(used.cores, requests.cores),
    cpuOfLimit: formatShare(used.cores, limits.cores),
    memory: formatBytes(used.bytes),
    memoryOfRequest: formatShare(used.bytes, requests.bytes),
    memoryOfLimit: formatShare(used.bytes, limits.bytes),
  };
}

export function listAutoscalers(
  { autoscalers }: Pick<ClusterSnapshot, 'autoscalers'>,
  options: TextOptions,
): string {
  if (!autoscalers.ok) return 'autoscalers: unknown';
  if (autoscalers.value.length === 0) return 'no autoscalers';
  const rows = autoscalers.value.map((autoscaler) => ({
    ...autoscaler,
    measures: describeTargets(autoscaler),
  }));
  const hasProblem = rows.some(({ problem }) => problem !== undefined);
  const columns = hasProblem ? [...autoscalerColumns, problemColumn] : autoscalerColumns;
  return textTable(rows, fitColumns(rows, columns, { options, least: leastOfAutoscalers }), options);
}

/** `cpu: 163%/70%`: what is measured, and what it is to be. */
export function describeTargets({ metrics }: Autoscaler): string {
  const targets = metrics.map(({ name, current, target }) => `${name}: ${current ?? '<unknown>'}/${target}`);
  return targets.join(', ') || 'none';
}

/** The sources of a cluster by the names that people have for them. */
export function sourcesOf({ pods, usage, autoscalers }: ClusterSnapshot): Sources {
  return { pods, 'CPU and memory': usage, autoscalers };
}

export type Sources = Readonly<Record<string, Reading<unknown> | undefined>>;

/** Why something is not known, and what to do: one line for each reason. */
export function describeProblems(sources: Sources): string[] {
  const names = new Map<string, string[]>();
  const statuses = new Set<number | undefined>();
  for (const [name, reading] of Object.entries(sources)) {
    if (reading?.ok !== false) continue;
    names.set(reading.reason, [...(names.get(reading.reason) ?? []), name]);
    statuses.add(reading.status);
  }
  return [
    ...[...names].map(([reason, all]) => toText(`${all.join(', ')} unknown: ${reason}`)),
    ...remedies.flatMap(([status, remedy]) => (statuses.has(status) ? [remedy] : [])),
  ];
}

const remedies: readonly (readonly [status: number, remedy: string])[] = [
  [401, 'the cluster does not know you: the credentials of the context are wrong or have expired'],
  [
    403,
    'you need a Role with the verb list on pods, pods.metrics.k8s.io and horizontalpodautoscalers.autoscaling: docs/scale-out.md has it',
  ],
];
