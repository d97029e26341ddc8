// A plot as SVG text: bars, lines, or a timeline. Readable on light and dark pages, for it brings its own background. Pure.
import { formatClock, formatFigure, powersOfTen, roundSteps } from './figure.ts';
import type { Axis, BarPlot, LinePlot, Plot, Point, TimelinePlot, TimelineSeries } from './report.ts';

const WIDTH = 720;
const FONT = 'font-family="system-ui, sans-serif" font-size="12"';
const INK = '#24292f';
const FAINT = '#d0d7de';
const SHADE = '#fff8c5';
const COLOURS = ['#0969da', '#cf222e', '#1a7f37', '#9a6700', '#8250df', '#57606a'];

export function drawPlot(plot: Plot): string {
  if (plot.kind === 'bars') return drawBars(plot);
  return plot.kind === 'lines' ? drawLines(plot) : drawTimeline(plot);
}

function drawBars({ title, unit, bars, digits = 0, emphasis = bars[0]?.label }: BarPlot): string {
  const [left, right, top, step] = [210, 90, 52, 30];
  const steps = roundSteps(Math.max(...bars.map(({ value }) => value)));
  const perUnit = (WIDTH - left - right) / (steps.at(-1) ?? 1);
  const rows = bars.map(({ label, value }, row) => {
    const y = top + row * step;
    const width = Math.max(1, value * perUnit);
    return [
      text({ x: left - 8, y: y + 15, anchor: 'end' }, label),
      `<rect x="${left}" y="${y}" width="${round(width)}" height="20" fill="${colourOf(label === emphasis ? 0 : 5)}"/>`,
      text({ x: left + width + 6, y: y + 15 }, formatFigure(value, digits)),
    ].join('\n');
  });
  return frame(top + bars.length * step + 14, [
    text({ x: 16, y: 26, isBold: true }, `${title} (${unit})`),
    ...rows,
  ]);
}

function drawLines({ title, x, y, series }: LinePlot): string {
  const [left, right, top, bottom, height] = [80, 20, 52 + 18 * series.length, 48, 420];
  const points = series.flatMap((line) => line.points);
  const ends = (values: readonly number[]) => [Math.min(...values), Math.max(...values)] as const;
  const across = scale(ticksOf(x, ends(points.map((point) => point.x))), [left, WIDTH - right], x.log);
  const up = scale(ticksOf(y, ends(points.map((point) => point.y))), [height - bottom, top], y.log);
  const lines = series.flatMap(({ label, points: own }, index) => {
    const colour = colourOf(index);
    const spots = own.map((point) => ({ x: round(across.at(point.x)), y: round(up.at(point.y)) }));
    return [
      polyline(spots, { colour }),
      ...spots.map((spot) => `<circle cx="${spot.x}" cy="${spot.y}" r="3" fill="${colour}"/>`),
      `<rect x="16" y="${38 + 18 * index}" width="12" height="12" fill="${colour}"/>`,
      text({ x: 34, y: 48 + 18 * index }, label),
    ];
  });
  return frame(height, [
    text({ x: 16, y: 26, isBold: true }, `${title} (${y.title})`),
    ...drawGrid({ across, up }, { across: short, up: short }),
    text({ x: (left + WIDTH - right) / 2, y: height - 10, anchor: 'middle' }, x.title),
    ...lines,
  ]);
}

const TIMELINE = { left: 76, right: 16, top: 64, height: 150, gap: 56, legend: 220 };

function drawTimeline({ title, seconds, shaded, panels }: TimelinePlot): string {
  const { left, right, top: first, height, gap, legend } = TIMELINE;
  const span = Math.max(1, seconds);
  const across = { ...scale([0, span], [left, WIDTH - right]), ticks: timeSteps(span) };
  const drawn = panels.flatMap(({ title: name, series }, index) => {
    const top = first + index * (height + gap);
    const most = Math.max(0, ...series.flatMap(({ points }) => points.map(({ y }) => y ?? 0)));
    const up = scale(roundSteps(most), [top + height, top]);
    const format = (value: number) => formatFigure(value, value % 1 === 0 ? 0 : 2);
    return [
      ...(shaded === undefined ? [] : [drawShade(shaded, across, { top, height })]),
      text({ x: 16, y: top - 12, isBold: true }, name),
      ...drawLegend(series, { x: legend, y: top - 12 }),
      ...drawGrid({ across, up }, { across: formatClock, up: format }),
      ...series.flatMap((line) => drawStretches(line, { across, up })),
    ];
  });
  return frame(first + panels.length * (height + gap) - 20, [
    text({ x: 16, y: 26, isBold: true }, title),
    ...drawn,
  ]);
}

function drawShade(
  { from, to }: { from: number; to: number },
  across: Scale,
  { top, height }: { top: number; height: number },
): string {
  const width = Math.max(1, across.at(to) - across.at(from));
  return `<rect x="${round(across.at(from))}" y="${top}" width="${round(width)}" height="${height}" fill="${SHADE}"/>`;
}

function drawLegend(series: readonly TimelineSeries[], { x: first, y }: Point): string[] {
  let x = first;
  return series.flatMap(({ label, colour, isDashed }) => {
    const parts = [
      `<line x1="${x}" x2="${x + 22}" y1="${y - 4}" y2="${y - 4}" ${stroke({ colour: colourOf(colour), isDashed })}/>`,
      text({ x: x + 28, y }, label),
    ];
    x += 46 + label.length * 7;
    return parts;
  });
}

/** One line per stretch without a gap. */
function drawStretches(
  { points, colour, isDashed, isStepped }: TimelineSeries,
  { across, up }: Scales,
): string[] {
  const stretches: Point[][] = [[]];
  for (const { x, y } of points) {
    const stretch = stretches.at(-1) ?? [];
    const former = stretch.at(-1);
    if (y === null) {
      if (former !== undefined) stretches.push([]);
      continue;
    }
    const spot = { x: round(across.at(x)), y: round(up.at(y)) };
    if (isStepped && former !== undefined && former.y !== spot.y) stretch.push({ x: spot.x, y: former.y });
    stretch.push(spot);
  }
  const lines = stretches.filter((stretch) => stretch.length > 0);
  return lines.map((spots) => polyline(spots, { colour: colourOf(colour), isDashed }));
}

interface Scale {
  /** The values that are marked. */
  ticks: readonly number[];
  /** The pixels of the first and the last value. */
  start: number;
  end: number;
  /** The pixel of a value. */
  at: (value: number) => number;
}

interface Scales {
  across: Scale;
  up: Scale;
}

/** From the first of the ticks to the last. */
function scale(ticks: readonly number[], [start, end]: readonly [number, number], isLog = false): Scale {
  const measure = (value: number) => (isLog ? Math.log10(value) : value);
  const [first, last] = [measure(ticks[0] ?? 0), measure(ticks.at(-1) ?? 1)];
  const at = (value: number) => start + ((measure(value) - first) / (last - first)) * (end - start);
  return { ticks, start, end, at };
}

function ticksOf({ log: isLog }: Axis, [least, most]: readonly [number, number]): number[] {
  return isLog ? powersOfTen(least, most) : roundSteps(most);
}

/** About eight round moments. */
function timeSteps(span: number): number[] {
  const lengths = [5, 10, 15, 30, 60, 120, 300, 600, 1_200, 1_800, 3_600, 7_200, 21_600, 86_400];
  const step = lengths.find((length) => span / length <= 9) ?? Math.ceil(span / 9);
  return Array.from({ length: Math.floor(span / step) + 1 }, (_, index) => index * step);
}

/** A line across at each mark of the upward scale, and the marks of both. */
function drawGrid(
  { across, up }: Scales,
  format: Readonly<Record<keyof Scales, (value: number) => string>>,
): string[] {
  const [left, right, bottom] = [across.start, across.end, up.start];
  return [
    ...up.ticks.flatMap((value) => [
      `<line x1="${left}" x2="${right}" y1="${round(up.at(value))}" y2="${round(up.at(value))}" stroke="${FAINT}"/>`,
      text({ x: left - 8, y: up.at(value) + 4, anchor: 'end' }, format.up(value)),
    ]),
    ...across.ticks.map((value) =>
      text({ x: across.at(value), y: bottom + 18, anchor: 'middle' }, format.across(value)),
    ),
  ];
}

function short(value: number): string {
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))} M`;
  if (value >= 10_000) return `${Number((value / 1_000).toPrecision(3))} k`;
  return String(Number(value.toPrecision(3)));
}

interface Line {
  colour: string;
  isDashed?: boolean | undefined;
}

function polyline(spots: readonly Point[], line: Line): string {
  const points = spots.map(({ x, y }) => `${x},${y}`).join(' ');
  return `<polyline fill="none" ${stroke(line)} points="${points}"/>`;
}

function stroke({ colour, isDashed }: Line): string {
  return `stroke="${colour}" stroke-width="2"${isDashed ? ' stroke-dasharray="5 4"' : ''}`;
}

function colourOf(place: number): string {
  return COLOURS[place % COLOURS.length] ?? INK;
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
  return `<text x="${round(x)}" y="${round(y)}" fill="${INK}"${end}${weight}>${escapeXml(content)}</text>`;
}

function escapeXml(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function frame(height: number, content: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ${FONT}>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    ...content,
    '</svg>',
    '',
  ].join('\n');
}
