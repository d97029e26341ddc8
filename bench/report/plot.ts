// A plot as SVG text, readable on light and dark pages: it brings its own background. Pure.
import { formatFigure, powersOfTen, roundSteps } from './figure.ts';
import type { Axis, BarPlot, LinePlot, Plot, Point } from './report.ts';

const WIDTH = 720;
const FONT = 'font-family="system-ui, sans-serif" font-size="12"';
const INK = '#24292f';
const FAINT = '#d0d7de';
const COLOURS = ['#0969da', '#cf222e', '#1a7f37', '#9a6700', '#8250df', '#57606a'];

export function drawPlot(plot: Plot): string {
  return plot.kind === 'bars' ? drawBars(plot) : drawLines(plot);
}

function drawBars({ title, unit, bars, digits = 0, emphasis = bars[0]?.label }: BarPlot): string {
  const [left, right, top, step] = [210, 90, 52, 30];
  const steps = roundSteps(Math.max(...bars.map(({ value }) => value)));
  const scale = (WIDTH - left - right) / (steps.at(-1) ?? 1);
  const rows = bars.map(({ label, value }, row) => {
    const y = top + row * step;
    const width = Math.max(1, value * scale);
    return [
      text({ x: left - 8, y: y + 15, anchor: 'end' }, label),
      `<rect x="${left}" y="${y}" width="${round(width)}" height="20" fill="${COLOURS[label === emphasis ? 0 : 5]}"/>`,
      text({ x: left + width + 6, y: y + 15 }, formatFigure(value, digits)),
    ].join('\n');
  });
  return frame(top + bars.length * step + 14, [
    text({ x: 16, y: 26, bold: true }, `${title} (${unit})`),
    ...rows,
  ]);
}

function drawLines({ title, x, y, series }: LinePlot): string {
  const [left, right, top, bottom, height] = [80, 20, 52 + 18 * series.length, 48, 420];
  const points = series.flatMap((line) => line.points);
  const across = place(
    x,
    points.map((point) => point.x),
    [left, WIDTH - right],
  );
  const up = place(
    y,
    points.map((point) => point.y),
    [height - bottom, top],
  );
  const grid = up.ticks.flatMap((value) => [
    `<line x1="${left}" x2="${WIDTH - right}" y1="${round(up.at(value))}" y2="${round(up.at(value))}" stroke="${FAINT}"/>`,
    text({ x: left - 8, y: up.at(value) + 4, anchor: 'end' }, short(value)),
  ]);
  const marks = across.ticks.map((value) =>
    text({ x: across.at(value), y: height - bottom + 18, anchor: 'middle' }, short(value)),
  );
  const lines = series.flatMap(({ label, points: own }, index) => {
    const colour = COLOURS[index % COLOURS.length] ?? INK;
    const spots = own.map((point) => ({ x: round(across.at(point.x)), y: round(up.at(point.y)) }));
    return [
      `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${spots.map(pair).join(' ')}"/>`,
      ...spots.map((spot) => `<circle cx="${spot.x}" cy="${spot.y}" r="3" fill="${colour}"/>`),
      `<rect x="16" y="${38 + 18 * index}" width="12" height="12" fill="${colour}"/>`,
      text({ x: 34, y: 48 + 18 * index }, label),
    ];
  });
  return frame(height, [
    text({ x: 16, y: 26, bold: true }, `${title} (${y.title})`),
    ...grid,
    ...marks,
    text({ x: (left + WIDTH - right) / 2, y: height - 10, anchor: 'middle' }, x.title),
    ...lines,
  ]);
}

/** Where the values of an axis lie between two pixels, and which of them are marked. */
function place(axis: Axis, values: readonly number[], [from, to]: readonly [number, number]) {
  const isLog = axis.log === true;
  const ticks = isLog
    ? powersOfTen(Math.min(...values), Math.max(...values))
    : roundSteps(Math.max(...values));
  const measure = (value: number) => (isLog ? Math.log10(value) : value);
  const [first, last] = [measure(ticks[0] ?? 0), measure(ticks.at(-1) ?? 1)];
  return { ticks, at: (value: number) => from + ((measure(value) - first) / (last - first)) * (to - from) };
}

function short(value: number): string {
  if (value >= 1_000_000) return `${Number((value / 1_000_000).toPrecision(3))} M`;
  if (value >= 10_000) return `${Number((value / 1_000).toPrecision(3))} k`;
  return String(Number(value.toPrecision(3)));
}

function pair({ x, y }: Point): string {
  return `${x},${y}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

interface TextPlace {
  x: number;
  y: number;
  anchor?: 'middle' | 'end';
  bold?: boolean;
}

function text({ x, y, anchor, bold }: TextPlace, content: string): string {
  const end = anchor === undefined ? '' : ` text-anchor="${anchor}"`;
  const weight = bold ? ' font-weight="600"' : '';
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
