/**
 * The small parts that every page of the dashboard is made of: times, numbers, states, tables, buttons. Pure; `html` escapes whatever is put into it.
 *
 * Tagged templates and not JSX: Node runs these files as they are, and it takes types out of a file but makes no calls of its tags.
 */
import { html } from 'hono/html';
import type { JobState } from '#shared/job/transitions.ts';

export type Html = ReturnType<typeof html>;
export type Content = Html | string | number | null | readonly Content[];

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

const numbers = new Intl.NumberFormat('en-US');

export function count(value: number): string {
  return numbers.format(value);
}

/** `3 min 20 s`: two units at most. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < MINUTE_S) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  if (whole < HOUR_S) return join(Math.floor(whole / MINUTE_S), 'min', whole % MINUTE_S, 's');
  if (whole < DAY_S)
    return join(Math.floor(whole / HOUR_S), 'h', Math.floor((whole % HOUR_S) / MINUTE_S), 'min');
  return join(Math.floor(whole / DAY_S), 'd', Math.floor((whole % DAY_S) / HOUR_S), 'h');
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** How long ago or until then, with the exact time on it. The script keeps it current. */
export function time(at: Date | string | null, now = Date.now()): Html | string {
  if (at === null) return '–';
  const date = new Date(at);
  const iso = date.toISOString();
  return html`<time datetime="${iso}" title="${iso}">${ago(date.getTime(), now)}</time>`;
}

export function ago(at: number, now: number): string {
  const ms = now - at;
  if (Math.abs(ms) < 1_000) return 'now';
  return ms > 0 ? `${duration(Math.max(1_000, ms))} ago` : `in ${duration(-ms)}`;
}

/** To the millisecond, in UTC. */
export function instant(at: Date | string): Html {
  const iso = new Date(at).toISOString();
  return html`<time datetime="${iso}" data-exact>${iso.replace('T', ' ').replace('Z', ' UTC')}</time>`;
}

export function state(name: JobState): Html {
  return html`<span class="state ${name}">${name}</span>`;
}

/** A number that leads to what it counts; a bare 0 where there is nothing to see. */
export function linkedCount(value: number, href: string): Html | string {
  return value === 0 ? html`<span class="none">0</span>` : html`<a href="${href}">${count(value)}</a>`;
}

export interface Column {
  title: string;
  /** Numbers stand at the right. Defaults to false. */
  isNumber?: boolean;
}

export interface Table {
  /** For those who do not see it. */
  caption: string;
  columns: readonly (Column | string)[];
  rows: readonly (readonly Content[])[];
  /** What stands there instead where there is no row. */
  empty: string;
}

/** It scrolls within itself where the window is narrow; the keyboard reaches it. */
export function table({ caption, columns, rows, empty }: Table): Html {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  const heads = columns.map((column) => (typeof column === 'string' ? { title: column } : column));
  const cell = (content: Content, index: number) =>
    html`<td${heads[index]?.isNumber ? html` class="number"` : ''}>${content}</td>`;
  return html`<div class="scroll" tabindex="0" role="region" aria-label="${caption}"><table>
<thead><tr>${heads.map(({ title, isNumber }) => html`<th scope="col"${isNumber ? html` class="number"` : ''}>${title}</th>`)}</tr></thead>
<tbody>${rows.map((cells) => html`<tr>${cells.map(cell)}</tr>`)}</tbody>
</table></div>`;
}

export interface Button {
  /** Where the form is sent. */
  action: string;
  label: string;
  /** Said before a second click, where it cannot be taken back. */
  warning?: string;
  /** What is sent with it. */
  fields?: Record<string, string>;
}

/** A form of one button. What has a warning takes two clicks, without a script too. */
export function button({ action, label, warning, fields = {} }: Button): Html {
  const hidden = Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`,
  );
  if (warning === undefined)
    return html`<form method="post" action="${action}">${hidden}<button>${label}</button></form>`;
  return html`<details class="confirm"><summary>${label} …</summary>
<form method="post" action="${action}">${hidden}<p>${warning}</p><button class="danger">${label}</button></form></details>`;
}

/** Names and their values, one below the other. */
export function facts(pairs: readonly (readonly [string, Content])[]): Html {
  return html`<dl class="facts">${pairs.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
