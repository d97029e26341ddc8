import { describe, expect, test } from 'vitest';
import { drawPlot } from '../../../bench/report/plot.ts';
import type { Phase, Point } from '../../../bench/scale-out/timeline.ts';
import { plotTimeline } from '../../../bench/scale-out/timeline-plot.ts';

function point(seconds: number, phase: Phase, parts: Partial<Point> = {}): Point {
  const workload = { pods: 2, ready: 2, desired: 2, cores: 0.1, bytes: 1 };
  return {
    seconds,
    phase,
    workloads: { 'warren-worker': workload },
    waiting: 0,
    running: 0,
    consumers: 40,
    jobsPerSecond: 0,
    requestsPerSecond: null,
    databaseConnections: null,
    ...parts,
  };
}

const drawTimeline = (...timeline: Parameters<typeof plotTimeline>) => drawPlot(plotTimeline(...timeline));
const linesOf = (svg: string, colour: string) =>
  [...svg.matchAll(/<polyline[^>]*stroke="([^"]+)"[^>]*points="([^"]*)"/g)].filter(
    ([, stroke]) => stroke === colour,
  );
const WAITING = '#0969da';
const JOBS = '#1a7f37';

describe('the plot', () => {
  test('has a panel for replicas, CPU, depth and throughput, and shades the load', () => {
    const points = [
      point(0, 'before'),
      point(10, 'load', { requestsPerSecond: 5 }),
      point(20, 'load'),
      point(30, 'after'),
    ];
    const svg = drawTimeline(points, ['warren-worker'], 'a <title> & more');
    for (const text of ['Replicas', 'CPU of all pods', 'Depth', 'Throughput', 'a &lt;title&gt; &amp; more'])
      expect(svg).toContain(text);
    expect(svg.match(/fill="#fff8c5"/g)).toHaveLength(4);
  });

  test('leaves a gap where something was not known', () => {
    const points = [0, 1, 2, 3, 4].map((second) =>
      point(second, 'load', { jobsPerSecond: second === 2 ? null : 7 }),
    );
    const lines = linesOf(drawTimeline(points, [], 'gaps'), JOBS);
    expect(lines.map(([, , spots]) => spots?.split(' ').length)).toEqual([2, 2]);
  });

  test('draws replicas as steps', () => {
    const grown = { 'warren-worker': { pods: 4, ready: 4, desired: 4, cores: null, bytes: null } };
    const points = [point(0, 'load'), point(10, 'load', { workloads: grown })];
    const [replicas] = linesOf(drawTimeline(points, ['warren-worker'], 'steps'), WAITING);
    const spots = replicas?.[2]?.split(' ').map((spot) => spot.split(',')) ?? [];
    expect(spots).toHaveLength(3);
    expect(spots[1]?.[0]).toBe(spots[2]?.[0]);
    expect(spots[0]?.[1]).toBe(spots[1]?.[1]);
  });

  test('leaves out panels of which nothing was known, and draws nothing of no points', () => {
    const points = [point(0, 'load', { workloads: null }), point(5, 'load', { workloads: null })];
    expect(drawTimeline(points, ['warren-worker'], 'no cluster')).not.toContain('Replicas');
    expect(drawTimeline([], [], 'nothing')).not.toContain('NaN');
  });

  test('has no number that is none', () => {
    const svg = drawTimeline(
      [point(0, 'before', { waiting: null }), point(0, 'before')],
      ['warren-worker'],
      'short',
    );
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });
});
