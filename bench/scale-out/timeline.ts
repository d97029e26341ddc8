// What happened over time, in few numbers per moment, for the JSON file and the plot. Pure.
// Guarantees: however long it gets, it holds at most `MAX_POINTS` points, evenly spread, the first and the latest among them.

import { isLive } from '../../src/cli/cluster/pods.ts';
import { programOf } from '../connections/activity.ts';
import { totalQueues } from './queues.ts';
import type { Snapshot } from './watcher.ts';

export type Phase = 'before' | 'load' | 'after';

/** Null: not known at that moment. */
export interface Point {
  /** Since the beginning. */
  seconds: number;
  phase: Phase;
  /** By workload (Deployment, StatefulSet); null where the pods are not known. */
  workloads: Record<string, WorkloadPoint> | null;
  /** Jobs. */
  waiting: number | null;
  running: number | null;
  consumers: number | null;
  jobsPerSecond: number | null;
  requestsPerSecond: number | null;
  /** Connections to Postgres by program; null where not known. */
  databaseConnections: Record<string, number> | null;
}

export interface WorkloadPoint {
  pods: number;
  ready: number;
  /** What its autoscaler wants. */
  desired: number | null;
  /** Of all pods that were measured together; null where none was. */
  cores: number | null;
  bytes: number | null;
}

export const MAX_POINTS = 1_200;

export class Timeline {
  #points: Point[] = [];
  #stride = 1;
  #seen = 0;
  #latest: Point | undefined;

  add(point: Point): void {
    this.#latest = point;
    if (this.#seen % this.#stride === 0) this.#points.push(point);
    this.#seen += 1;
    if (this.#points.length < MAX_POINTS) return;
    this.#points = this.#points.filter((_, index) => index % 2 === 0);
    this.#stride *= 2;
  }

  get points(): readonly Point[] {
    const latest = this.#latest;
    return latest === undefined || this.#points.at(-1) === latest ? this.#points : [...this.#points, latest];
  }
}

export function toPoint({
  seconds,
  phase,
  snapshot,
  requestsPerSecond,
}: {
  seconds: number;
  phase: Phase;
  snapshot: Snapshot;
  requestsPerSecond: number | null;
}): Point {
  const { queues, activity, jobsPerSecond } = snapshot;
  const { waiting, running, consumers } = queues.ok
    ? totalQueues(queues.value)
    : { waiting: null, running: null, consumers: null };
  return {
    seconds,
    phase,
    workloads: snapshot.pods.ok ? countWorkloads(snapshot) : null,
    waiting,
    running,
    consumers,
    jobsPerSecond,
    requestsPerSecond,
    databaseConnections: activity?.ok ? countConnections(activity.value.applications) : null,
  };
}

export function countWorkloads({ pods, usage, autoscalers }: Snapshot): Record<string, WorkloadPoint> {
  const workloads: Record<string, WorkloadPoint> = {};
  for (const pod of pods.ok ? pods.value.filter(isLive) : []) {
    workloads[pod.workload] ??= { pods: 0, ready: 0, desired: null, cores: null, bytes: null };
    const workload = workloads[pod.workload];
    if (workload === undefined) continue;
    const used = usage.ok ? usage.value.get(pod.name) : undefined;
    workload.pods += 1;
    workload.ready += pod.ready ? 1 : 0;
    workload.cores = add(workload.cores, used?.cores);
    workload.bytes = add(workload.bytes, used?.bytes);
  }
  for (const { target, desired } of autoscalers.ok ? autoscalers.value : []) {
    const workload = workloads[target];
    if (workload !== undefined) workload.desired = desired ?? null;
  }
  return workloads;
}

export function countConnections(
  applications: readonly { name: string; connections: number }[],
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { name, connections } of applications)
    counts[programOf(name)] = (counts[programOf(name)] ?? 0) + connections;
  return counts;
}

function add(sum: number | null, more: number | undefined): number | null {
  return more === undefined ? sum : (sum ?? 0) + more;
}
