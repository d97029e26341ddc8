// A moment as text: pods as `kubectl top pods` has them, autoscalers as `kubectl get hpa`, queues and connections likewise. Pure.
// What is not known reads `unknown`; why, is told by `describeUnknown`.
import { formatFigure } from '../report/figure.ts';
import type { Autoscaler } from './autoscalers.ts';
import {
  alignColumns,
  formatAge,
  formatBytes,
  formatCores,
  formatShare,
  nothing,
  UNKNOWN,
} from './columns.ts';
import type { Pod, Resources } from './pods.ts';
import type { QueueState } from './queues.ts';
import { totalQueues } from './queues.ts';
import { countConnections } from './timeline.ts';
import type { Snapshot } from './watcher.ts';

/** At most `most` pods; how many are left out is said. */
export function listPods({ pods, usage }: Snapshot, now: Date, most = 40): string[] {
  if (!pods.ok) return [`pods: ${UNKNOWN}`];
  if (pods.value.length === 0) return ['No pods in this namespace.'];
  const head = ['NAME', 'READY', 'STATUS', 'RESTARTS', 'CPU', 'OF REQUEST', 'MEMORY', 'OF REQUEST', 'AGE'];
  const shown = pods.value.slice(0, most);
  const left = pods.value.length - shown.length;
  return [
    ...alignColumns([
      head,
      ...shown.map((pod) => toPodRow(pod, usage.ok ? usage.value.get(pod.name) : undefined, now)),
    ]),
    ...(left > 0 ? [`… and ${left} more`] : []),
  ];
}

function toPodRow(pod: Pod, used: Resources = nothing, now: Date): string[] {
  return [
    pod.name,
    pod.ready ? 'yes' : 'no',
    pod.status,
    String(pod.restarts),
    formatCores(used.cores),
    formatShare(used.cores, pod.requests.cores),
    formatBytes(used.bytes),
    formatShare(used.bytes, pod.requests.bytes),
    formatAge(pod.createdAt, now),
  ];
}

export function listAutoscalers({ autoscalers }: Snapshot): string[] {
  if (!autoscalers.ok) return [`hpa: ${UNKNOWN}`];
  if (autoscalers.value.length === 0) return ['No autoscalers (HPA) in this namespace.'];
  const head = ['HPA', 'REFERENCE', 'TARGETS', 'MINPODS', 'MAXPODS', 'REPLICAS', 'DESIRED', 'PROBLEM'];
  const rows = autoscalers.value.map((autoscaler) => [
    autoscaler.name,
    autoscaler.target,
    describeTargets(autoscaler),
    String(autoscaler.min),
    String(autoscaler.max),
    String(autoscaler.current ?? UNKNOWN),
    String(autoscaler.desired ?? UNKNOWN),
    autoscaler.problem ?? '',
  ]);
  const hasProblem = rows.some((row) => row.at(-1) !== '');
  return alignColumns([head, ...rows].map((row) => (hasProblem ? row : row.slice(0, -1))));
}

/** `cpu: 163%/70%`. */
export function describeTargets({ metrics }: Autoscaler): string {
  const targets = metrics.map(
    ({ name, current, target }) => `${name}: ${current ?? `<${UNKNOWN}>`}/${target}`,
  );
  return targets.join(', ') || 'none';
}

export function listQueues({ queues }: Snapshot): string[] {
  if (!queues.ok) return [`queues: ${UNKNOWN}`];
  const row = ({ name, waiting, running, consumers }: Omit<QueueState, 'completed'>) => [
    name,
    formatCount(waiting),
    formatCount(running),
    formatCount(consumers),
  ];
  const head = ['QUEUE', 'WAITING', 'RUNNING', 'CONSUMERS'];
  return alignColumns([head, ...queues.value.map(row), row({ name: '(all)', ...totalQueues(queues.value) })]);
}

/** `warren-api 10, warren-worker 44 (of 97)`. */
export function describeConnections({ activity }: Snapshot): string {
  if (activity === undefined) return 'not watched (no DATABASE_URL)';
  if (!activity.ok) return UNKNOWN;
  const counts = Object.entries(countConnections(activity.value.applications));
  const programs = counts.map(([program, count]) => `${program} ${count}`);
  return `${programs.join(', ') || 'none'} (${activity.value.total} of ${activity.value.max})`;
}

/** Why something is not known: one line per reason. */
export function describeUnknown(snapshot: Snapshot): string[] {
  const sources = {
    pods: snapshot.pods,
    'pod metrics': snapshot.usage,
    hpa: snapshot.autoscalers,
    queues: snapshot.queues,
    Postgres: snapshot.activity,
  };
  const names = new Map<string, string[]>();
  for (const [name, reading] of Object.entries(sources))
    if (reading?.ok === false) names.set(reading.reason, [...(names.get(reading.reason) ?? []), name]);
  return [...names].map(([reason, all]) => `${all.join(', ')} ${UNKNOWN}: ${reason}`);
}

export function formatCount(count: number | null): string {
  return count === null ? UNKNOWN : formatFigure(count);
}
