/**
 * What has ended, by minute, as bars: plain SVG, made here, so that it needs no script. Pure.
 */
import { html } from 'hono/html';
import type { Html } from './html.ts';
import { count } from './html.ts';

export interface ChartMinute {
  at: Date;
  completed: number;
  failed: number;
}

const MINUTE_MS = 60_000;
const WIDTH = 960;
const HEIGHT = 160;
const LEFT = 48;
const BOTTOM = 20;
const TOP = 10;
/** Between the bars, of the width of one. */
const GAP = 0.25;

export interface ChartOptions {
  ends: readonly ChartMinute[];
  minutes: number;
  now: number;
}

export function renderChart({ ends, minutes, now }: ChartOptions): Html {
  const last = Math.floor(now / MINUTE_MS) * MINUTE_MS;
  const byMinute = new Map(ends.map((minute) => [minute.at.getTime(), minute]));
  const highest = niceMaximum(Math.max(1, ...ends.map(({ completed, failed }) => completed + failed)));
  const step = (WIDTH - LEFT) / minutes;
  const y = (value: number) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / highest);
  const bars = Array.from({ length: minutes }, (_, index) => {
    const at = last - (minutes - 1 - index) * MINUTE_MS;
    const { completed = 0, failed = 0 } = byMinute.get(at) ?? {};
    if (completed + failed === 0) return '';
    const x = (LEFT + index * step).toFixed(1);
    const width = (step * (1 - GAP)).toFixed(1);
    const bar = (name: string, from: number, to: number) =>
      to === from
        ? ''
        : html`<rect class="${name}" x="${x}" y="${y(to).toFixed(1)}" width="${width}" height="${(y(from) - y(to)).toFixed(1)}"/>`;
    return html`<g><title>${clock(at)}: ${count(completed)} completed, ${count(failed)} failed</title>${bar('done', 0, completed)}${bar('failed', completed, completed + failed)}</g>`;
  });
  const total = (of: 'completed' | 'failed') => count(ends.reduce((sum, minute) => sum + minute[of], 0));
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="In the last ${minutes} minutes ${total('completed')} jobs were completed and ${total('failed')} attempts failed">
${[0, highest / 2, highest].map((value) => html`<line x1="${LEFT}" x2="${WIDTH}" y1="${y(value)}" y2="${y(value)}"/><text x="${LEFT - 8}" y="${y(value) + 4}" text-anchor="end">${short(value)}</text>`)}
${[0, 15, 30, 45].map((minute) => html`<text x="${(LEFT + minute * step).toFixed(1)}" y="${HEIGHT - 4}">${clock(last - (minutes - 1 - minute) * MINUTE_MS)}</text>`)}
<text x="${WIDTH}" y="${HEIGHT - 4}" text-anchor="end">now</text>
${bars}</svg>
<p class="legend"><span>${total('completed')} completed</span><span class="bad-bar">${total('failed')} failed attempts</span></p>`;
}

/** 1, 2 or 5 with zeros: the axis then has round numbers. */
function niceMaximum(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10);
}

const compact = new Intl.NumberFormat('en-US', { notation: 'compact' });

function short(value: number): string {
  return compact.format(value);
}

/** Of a day, in UTC. */
function clock(at: number): string {
  return new Date(at).toISOString().slice(11, 16);
}
