// The timeline as an SVG: replicas, processor time, depth and throughput below each other over the same time, the load shaded. Pure.
// What was not known leaves a gap. Brings its own background, so that it can be read on light and dark pages.
import { formatFigure, roundSteps } from '../report/figure.ts';
import { formatClock } from './columns.ts';
import type { Point } from './timeline.ts';

interface Series {
  label: string;
  colour: string;
  isDashed?: boolean;
  /** Stays until it changes, as replicas do. Defaults to a straight line between points. */
  isStepped?: boolean;
  values: readonly (number | null)[];
}

interface Panel {
  title: string;
  series: readonly Series[];
}

const WIDTH = 860;
const LEFT = 76;
const RIGHT = 16;
const PANEL_HEIGHT = 150;
const PANEL_GAP = 56;
const TOP = 64;
const INK = '#24292f';
const FAINT = '#d0d7de';
const SHADE = '#fff8c5';
const COLOURS = ['#0969da', '#cf222e', '#1a7f37', '#8250df', '#9a6700', '#57606a'];

/** `workloads`: those whose replicas and processor time are drawn. */
export function drawTimeline(points: readonly Point[], workloads: readonly string[], title: string): string {
  const panels = toPanels(points, workloads).filter(({ series }) => series.length > 0);
  const span = Math.max(1, points.at(-1)?.seconds ?? 1);
  const across = (seconds: number) => LEFT + (seconds / span) * (WIDTH - LEFT - RIGHT);
  const height = TOP + panels.length * (PANEL_HEIGHT + PANEL_GAP) - 20;
  const drawn = panels.flatMap((panel, index) =>
    drawPanel({ panel, points, across, span, top: TOP + index * (PANEL_HEIGHT + PANEL_GAP) }),
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="system-ui, sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text({ x: 16, y: 26, isBold: true }, title),
    ...drawn,
    '</svg>',
    '',
  ].join('\n');
}

function toPanels(points: readonly Point[], workloads: readonly string[]): Panel[] {
  const series = (label: string, place: number, value: (point: Point) => number | null) => {
    return { label, colour: COLOURS[place % COLOURS.length] ?? INK, values: points.map(value) };
  };
  const of = (workload: string, key: 'ready' | 'desired' | 'cores') => (point: Point) =>
    point.workloads?.[workload]?.[key] ?? null;
  const replicas = workloads.flatMap((workload, place) => [
    { ...series(`${workload} ready`, place, of(workload, 'ready')), isStepped: true },
    { ...series('wanted', place, of(workload, 'desired')), isStepped: true, isDashed: true },
  ]);
  const panels = [
    { title: 'Replicas', series: replicas },
    {
      title: 'CPU of all pods, cores',
      series: workloads.map((name, place) => series(name, place, of(name, 'cores'))),
    },
    {
      title: 'Depth, messages',
      series: [
        series('ready', 0, ({ ready }) => ready),
        series('unacknowledged', 1, ({ unacked }) => unacked),
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
    return { title, series: all.filter(({ values }) => values.some((value) => value !== null)) };
  });
}

interface PanelPlace {
  panel: Panel;
  points: readonly Point[];
  across: (seconds: number) => number;
  span: number;
  top: number;
}

function drawPanel({ panel, points, across, span, top }: PanelPlace): string[] {
  const most = Math.max(0, ...panel.series.flatMap(({ values }) => values.map((value) => value ?? 0)));
  const steps = roundSteps(most);
  const up = (value: number) => top + PANEL_HEIGHT - (value / (steps.at(-1) ?? 1)) * PANEL_HEIGHT;
  const bottom = top + PANEL_HEIGHT;
  return [
    ...drawLoad({ points, across, top }),
    text({ x: 16, y: top - 12, isBold: true }, panel.title),
    ...drawLegend(panel.series, top - 12),
    ...steps.flatMap((value) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${round(up(value))}" y2="${round(up(value))}" stroke="${FAINT}"/>`,
      text({ x: LEFT - 8, y: up(value) + 4, anchor: 'end' }, formatFigure(value, value % 1 === 0 ? 0 : 2)),
    ]),
    ...timeSteps(span).map((seconds) =>
      text({ x: across(seconds), y: bottom + 16, anchor: 'middle' }, formatClock(seconds)),
    ),
    ...panel.series.flatMap((series) => drawSeries({ series, points, across, up })),
  ];
}

function drawLoad({ points, across, top }: Pick<PanelPlace, 'points' | 'across' | 'top'>): string[] {
  const loaded = points.filter(({ phase }) => phase === 'load');
  const [first, last] = [loaded[0], loaded.at(-1)];
  if (first === undefined || last === undefined) return [];
  const [from, to] = [across(first.seconds), across(last.seconds)];
  return [
    `<rect x="${round(from)}" y="${top}" width="${round(Math.max(1, to - from))}" height="${PANEL_HEIGHT}" fill="${SHADE}"/>`,
  ];
}

function drawLegend(series: readonly Series[], y: number): string[] {
  let x = 220;
  return series.flatMap(({ label, colour, isDashed }) => {
    const parts = [
      `<line x1="${x}" x2="${x + 22}" y1="${y - 4}" y2="${y - 4}" stroke="${colour}" stroke-width="2"${dashes(isDashed)}/>`,
      text({ x: x + 28, y }, label),
    ];
    x += 46 + label.length * 7;
    return parts;
  });
}

/** One line per stretch without a gap. */
function drawSeries({
  series: { values, colour, isDashed, isStepped },
  points,
  across,
  up,
}: Pick<PanelPlace, 'points' | 'across'> & { series: Series; up: (value: number) => number }): string[] {
  const stretches: string[][] = [[]];
  let former: number | undefined;
  for (const [index, value] of values.entries()) {
    const seconds = points[index]?.seconds;
    const stretch = stretches.at(-1);
    if (value === null || seconds === undefined || stretch === undefined) {
      if (stretch !== undefined && stretch.length > 0) stretches.push([]);
      former = undefined;
      continue;
    }
    if (isStepped && former !== undefined && former !== value)
      stretch.push(spot(across(seconds), up(former)));
    stretch.push(spot(across(seconds), up(value)));
    former = value;
  }
  return stretches
    .filter((stretch) => stretch.length > 0)
    .map(
      (stretch) =>
        `<polyline fill="none" stroke="${colour}" stroke-width="2" stroke-linecap="round"${dashes(isDashed)} points="${stretch.join(' ')}"/>`,
    );
}

/** About eight round moments. */
function timeSteps(span: number): number[] {
  const lengths = [5, 10, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 21_600, 86_400];
  const step = lengths.find((length) => span / length <= 9) ?? Math.ceil(span / 9);
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => index * step);
}

function dashes(isDashed: boolean | undefined): string {
  return isDashed ? ' stroke-dasharray="5 4"' : '';
}

function spot(x: number, y: number): string {
  return `${round(x)},${round(y)}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

interface TextPlace {
  x: number;
  y: number;
  anchor?: 'middle' | 'end';
  isBold?: boolean;
}

function text({ x, y, anchor, isBold }: TextPlace, content: string): string {
  const end = anchor === undefined ? '' : ` text-anchor="${anchor}"`;
  const weight = isBold ? ' font-weight="600"' : '';
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return `<text x="${round(x)}" y="${round(y)}" fill="${INK}"${end}${weight}>${escaped}</text>`;
}
