// How quickly the fleet followed the load: when it was asked to grow, grew, was at its largest, and was small again. Pure.
import type { ScalingEvent } from './scaling-events.ts';
import type { Phase, Point } from './timeline.ts';

export interface Reactions {
  /** When the load began; undefined where it never did, or somebody else sent it. */
  loadSeconds: number | undefined;
  /** In order. */
  steps: readonly { seconds: number; what: string }[];
}

/** `workloads`: those that scale. */
export function findReactions({
  points,
  events,
  workloads,
  isSending,
}: {
  points: readonly Point[];
  events: readonly ScalingEvent[];
  workloads: readonly string[];
  /** False: nobody here knows when the load begins and ends. */
  isSending: boolean;
}): Reactions {
  const beginningOf = (phase: Phase) => points.find((point) => point.phase === phase)?.seconds;
  const began = isSending ? beginningOf('load') : undefined;
  const ended = isSending ? beginningOf('after') : undefined;
  const steps = [
    ...step(began, 'the load begins'),
    ...workloads.flatMap((workload) => followWorkload({ points, events, workload, began })),
    ...step(ended, 'the load ends'),
    ...step(
      ended === undefined ? undefined : findEmpty(points, ended),
      'nothing waits and nothing is under way any more',
    ),
  ];
  return { loadSeconds: began, steps: steps.toSorted((one, other) => one.seconds - other.seconds) };
}

function step(seconds: number | undefined, what: string): { seconds: number; what: string }[] {
  return seconds === undefined ? [] : [{ seconds, what }];
}

function followWorkload({
  points,
  events,
  workload,
  began = 0,
}: {
  points: readonly Point[];
  events: readonly ScalingEvent[];
  workload: string;
  began: number | undefined;
}): { seconds: number; what: string }[] {
  const own = events.filter((event) => event.workload === workload && event.seconds >= began);
  const sizes = points.flatMap(({ seconds, workloads }) => {
    const ready = workloads?.[workload]?.ready;
    return ready === undefined ? [] : [{ seconds, ready }];
  });
  const first = sizes[0]?.ready ?? 0;
  const most = Math.max(0, ...sizes.map(({ ready }) => ready));
  if (most <= first) return [];
  const largest = sizes.find(({ ready }) => ready === most)?.seconds;
  const shrunk = sizes.find(({ seconds, ready }) => seconds > (largest ?? 0) && ready < most)?.seconds;
  const small = sizes.find(({ seconds, ready }) => seconds > (largest ?? 0) && ready <= first)?.seconds;
  return [
    ...step(
      own.find(({ kind }) => kind === 'desired')?.seconds,
      `${workload}: the autoscaler wants more pods`,
    ),
    ...step(own.find(({ kind }) => kind === 'ready')?.seconds, `${workload}: the first new pod is ready`),
    ...step(largest, `${workload}: at its largest, ${most} pods ready`),
    ...step(shrunk, `${workload}: begins to shrink`),
    ...step(small, `${workload}: back at ${first} pods`),
  ];
}

function findEmpty(points: readonly Point[], since: number): number | undefined {
  return points.find(({ seconds, waiting, running }) => seconds >= since && waiting === 0 && running === 0)
    ?.seconds;
}
