// The timeline as a plot: replicas, processor time, depth and throughput below each other over the same time, the load shaded. Pure.
import type { TimelinePlot, TimelineSeries } from '../report/report.ts';
import type { Point } from './timeline.ts';

/** `workloads`: those whose replicas and processor time are drawn. What was never known has no panel. */
export function plotTimeline(
  points: readonly Point[],
  workloads: readonly string[],
  title: string,
): TimelinePlot {
  const loaded = points.filter(({ phase }) => phase === 'load');
  const [first, last] = [loaded[0], loaded.at(-1)];
  const isLoaded = first !== undefined && last !== undefined;
  return {
    kind: 'timeline',
    name: 'timeline',
    title,
    seconds: points.at(-1)?.seconds ?? 0,
    ...(isLoaded ? { shaded: { from: first.seconds, to: last.seconds } } : {}),
    panels: toPanels(points, workloads).filter(({ series }) => series.length > 0),
  };
}

function toPanels(points: readonly Point[], workloads: readonly string[]): TimelinePlot['panels'] {
  const series = (label: string, colour: number, value: (point: Point) => number | null): TimelineSeries => {
    return { label, colour, points: points.map((point) => ({ x: point.seconds, y: value(point) })) };
  };
  const of = (workload: string, key: 'ready' | 'desired' | 'cores') => (point: Point) =>
    point.workloads?.[workload]?.[key] ?? null;
  const panels = [
    {
      title: 'Replicas',
      series: workloads.flatMap((workload, place) => [
        { ...series(`${workload} ready`, place, of(workload, 'ready')), isStepped: true },
        { ...series('wanted', place, of(workload, 'desired')), isStepped: true, isDashed: true },
      ]),
    },
    {
      title: 'CPU of all pods, cores',
      series: workloads.map((name, place) => series(name, place, of(name, 'cores'))),
    },
    {
      title: 'Depth, jobs',
      series: [
        series('waiting', 0, ({ waiting }) => waiting),
        series('running', 1, ({ running }) => running),
      ],
    },
    {
      title: 'Throughput, per second',
      series: [
        series('jobs completed', 2, ({ jobsPerSecond }) => jobsPerSecond),
        series('requests answered', 3, ({ requestsPerSecond }) => requestsPerSecond),
      ],
    },
  ];
  return panels.map(({ title, series: all }) => {
    return { title, series: all.filter(({ points: own }) => own.some(({ y }) => y !== null)) };
  });
}
