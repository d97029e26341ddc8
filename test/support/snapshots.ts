// What the watcher knows at one moment, made of the objects that a cluster has: for what is drawn and concluded from it.
import type { PodMetric, V1Pod, V2HorizontalPodAutoscaler } from '@kubernetes/client-node';
import type { QueueState } from '../../bench/scale-out/queues.ts';
import type { Snapshot } from '../../bench/scale-out/watcher.ts';
import { toAutoscaler } from '../../src/cli/cluster/autoscalers.ts';
import { toPod, toUsage } from '../../src/cli/cluster/pods.ts';

export interface SnapshotParts {
  /** Undefined: not known. */
  pods?: readonly V1Pod[] | undefined;
  metrics?: readonly PodMetric[] | undefined;
  autoscalers?: readonly V2HorizontalPodAutoscaler[] | undefined;
  queues?: readonly QueueState[] | undefined;
  jobsPerSecond?: number | null;
  /** Connections to Postgres by application. */
  connections?: Record<string, number> | undefined;
}

const silence = { ok: false, reason: 'nobody answers' } as const;

export function createSnapshot({
  pods,
  metrics,
  autoscalers,
  queues,
  jobsPerSecond = null,
  connections,
}: SnapshotParts): Snapshot {
  const known = <T>(value: T | undefined) => (value === undefined ? silence : ({ ok: true, value } as const));
  const applications = Object.entries(connections ?? {}).map(([name, count]) => {
    return { name, connections: count, active: 0 };
  });
  const total = applications.reduce((sum, { connections: count }) => sum + count, 0);
  return {
    pods: known(pods?.map(toPod)),
    usage: known(metrics && new Map(metrics.map((metric) => [metric.metadata.name, toUsage(metric)]))),
    autoscalers: known(autoscalers?.map(toAutoscaler)),
    queues: known(queues),
    jobsPerSecond,
    activity: connections && { ok: true, value: { applications, total, max: 97 } },
  };
}

export function queue(
  name: string,
  { waiting = 0, running = 0, consumers = 20, completed = 0 }: Partial<QueueState> = {},
): QueueState {
  return { name, waiting, running, consumers, completed };
}
