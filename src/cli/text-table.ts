/**
 * Answers for people: tables and lists of members as text. Pure.
 *
 * Guarantees: what comes from a job, such as its arguments, cannot steer the terminal: control characters are shown, never sent.
 */
import { styleText } from 'node:util';
import stringWidth from 'string-width';
import type { Column } from './api-commands.ts';

export interface TextOptions {
  /** Columns of the terminal; undefined where there is none: then nothing is cut. */
  width: number | undefined;
  hasColors: boolean;
}

type Style = Parameters<typeof styleText>[0];

const GAP = '  ';
const NOTHING = '–';
/** Not an object: a cell may say `constructor`. */
const stateStyles: ReadonlyMap<string, Style> = new Map(
  Object.entries<Style>({
    running: 'blue',
    completed: 'green',
    retryable: 'yellow',
    held: 'yellow',
    discarded: 'red',
    cancelled: 'dim',
    error: 'red',
    warning: 'yellow',
  }),
);

/** Numbers, with a unit at most, and what stands where there is none. */
const numeric = /^(–|none|[\d.]+(m|Mi|%|s|h|d)?)$/;

export function textTable(
  rows: readonly unknown[],
  columns: readonly Column[],
  options: TextOptions,
): string {
  const { headings, cells, widths } = measure(rows, columns);
  const isNumeric = headings.map(
    (_, at) => cells.length > 0 && cells.every((row) => numeric.test(row[at] ?? '')),
  );
  const line = (row: readonly string[], style: (cell: string, at: number) => string) => {
    let left = options.width ?? Number.POSITIVE_INFINITY;
    return row
      .map((cell, at) => {
        const isLast = at === row.length - 1;
        const shown = cut(
          isLast && !isNumeric[at] ? cell : pad(cell, widths[at] ?? 0, isNumeric[at] === true),
          left,
        );
        left -= stringWidth(shown) + GAP.length;
        return style(shown, at);
      })
      .join(GAP)
      .trimEnd();
  };
  const head = line(headings, (cell) => paint(cell, 'bold', options));
  const body = cells.map((row) => line(row, (cell) => paint(cell, stateStyles.get(cell.trim()), options)));
  return [head, ...body].join('\n');
}

/** The columns that fit beside each other: without those of `least` (paths), the first ones first, as many as it takes. */
export function fitColumns(
  rows: readonly unknown[],
  columns: readonly Column[],
  { options: { width }, least }: { options: TextOptions; least: readonly string[] },
): readonly Column[] {
  const [first, ...others] = least;
  if (width === undefined || first === undefined) return columns;
  const { widths } = measure(rows, columns);
  const needed = widths.reduce((sum, each) => sum + each, GAP.length * (widths.length - 1));
  if (needed <= width) return columns;
  const fewer = columns.filter(([, path]) => path !== first);
  return fitColumns(rows, fewer, { options: { width, hasColors: false }, least: others });
}

interface Measured {
  headings: readonly string[];
  cells: readonly (readonly string[])[];
  /** Of the widest cell of each column. */
  widths: readonly number[];
}

function measure(rows: readonly unknown[], columns: readonly Column[]): Measured {
  const cells = rows.map((row) => columns.map(([, path]) => toText(memberAt(row, path))));
  const headings = columns.map(([heading]) => heading);
  const widths = headings.map((heading, at) =>
    Math.max(stringWidth(heading), ...cells.map((row) => stringWidth(row[at] ?? ''))),
  );
  return { headings, cells, widths };
}

/** One thing: a line for each member. */
export function textMembers(value: unknown, options: TextOptions): string {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return toText(value);
  const members = Object.entries(value);
  const width = Math.max(0, ...members.map(([name]) => stringWidth(name)));
  return members
    .map(([name, member]) => {
      const text = isList(member) ? member.map((each) => `\n  ${toText(each)}`).join('') : toText(member);
      return `${paint(pad(name, width, false), 'bold', options)}${GAP}${paint(text, stateStyles.get(text), options)}`;
    })
    .join('\n');
}

/** A sentence in lines that fit, broken between words. */
export function wrapText(text: string, { width = Number.POSITIVE_INFINITY }: TextOptions): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (stringWidth(longer) <= width || line === '') {
      line = longer;
      continue;
    }
    lines.push(line);
    line = word;
  }
  return [...lines, line].join('\n');
}

export function paint(text: string, style: Style | undefined, { hasColors }: TextOptions): string {
  return hasColors && style !== undefined ? styleText(style, text, { validateStream: false }) : text;
}

/** The name of a state, in its colour. */
export function paintState(state: string, options: TextOptions): string {
  return paint(state, stateStyles.get(state), options);
}

/** `lastTick.outcome`, `next.0`, `errors.-1`: the last one. */
export function memberAt(value: unknown, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>(
      (found, name) => (Array.isArray(found) ? found.at(Number(name)) : Object(found ?? {})[name]),
      value,
    );
}

function isList(member: unknown): member is unknown[] {
  return Array.isArray(member) && member.some((each) => typeof each === 'object');
}

export function toText(value: unknown): string {
  if (value === null || value === undefined) return NOTHING;
  if (typeof value === 'number') return String(Number.isInteger(value) ? value : Math.round(value * 10) / 10);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (found) =>
    JSON.stringify(found)
      .slice(1, -1)
      .replace(/^[^\\]$/, '\uFFFD'),
  );
}

function pad(text: string, width: number, toTheRight: boolean): string {
  const space = ' '.repeat(Math.max(0, width - stringWidth(text)));
  return toTheRight ? space + text : text + space;
}

function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text;
  let shown = '';
  let used = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    used += stringWidth(segment);
    if (used >= width) break;
    shown += segment;
  }
  return width > 0 ? `${shown}…` : '';
}
