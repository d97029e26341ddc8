// What a benchmark hands over to be written down, as plain data: it goes into the JSON file as it stands. Knows nothing of files and formats.
import type { Facts } from './facts.ts';

export interface Report {
  /** The name of its files in bench/results/, in kebab-case. */
  name: string;
  title: string;
  /** What a reader types to repeat it. */
  command: string;
  facts: Facts;
  /** Paragraphs: what was measured, how, and what to be careful with. */
  notes: readonly string[];
  /** What the figures are held to. Empty where nothing is demanded. */
  bars: readonly Bar[];
  sections: readonly Section[];
  /** The single measurements, for the JSON file alone. */
  data: unknown;
}

export interface Section {
  title: string;
  /** One paragraph below the title. */
  note?: string;
  table?: Table;
  /** A text that is shown as it stands, such as a report like `ab`'s. */
  text?: string;
  plot?: Plot;
}

export interface Table {
  columns: readonly Column[];
  rows: readonly (readonly Cell[])[];
}

export interface Column {
  title: string;
  /** Digits after the point of its numbers. Defaults to 0. */
  digits?: number;
}

/** Null: was not measured. */
export type Cell = string | number | null;

/** A demand on one figure. */
export interface Bar {
  what: string;
  demand: 'at least' | 'at most';
  limit: number;
  measured: number;
  /** Written behind both figures. Defaults to none. */
  unit?: string;
  /** Digits after the point of both figures. Defaults to 2. */
  digits?: number;
}

export type Plot = BarPlot | LinePlot | TimelinePlot;

/** Horizontal bars on one scale that begins at 0. */
export interface BarPlot {
  kind: 'bars';
  /** The name of its file behind the report's; unique within a report. */
  name: string;
  title: string;
  unit: string;
  bars: readonly { label: string; value: number }[];
  /** The label of the bar that stands out. Defaults to the first one's. */
  emphasis?: string;
  /** Digits after the point. Defaults to 0. */
  digits?: number;
}

export interface LinePlot {
  kind: 'lines';
  name: string;
  title: string;
  x: Axis;
  y: Axis;
  series: readonly { label: string; points: readonly Point[] }[];
}

export interface Axis {
  title: string;
  /** Logarithmic; its values are above 0 then. Defaults to false. */
  log?: boolean;
}

export interface Point {
  x: number;
  y: number;
}

/** Panels below each other over the same time. */
export interface TimelinePlot {
  kind: 'timeline';
  name: string;
  title: string;
  /** How long it lasts. */
  seconds: number;
  /** What stands out, in seconds. */
  shaded?: { from: number; to: number };
  panels: readonly { title: string; series: readonly TimelineSeries[] }[];
}

export interface TimelineSeries {
  label: string;
  /** Its place in the palette, so that what belongs together looks alike in every panel. */
  colour: number;
  isDashed?: boolean;
  /** Stays until it changes, as replicas do. Defaults to a straight line between points. */
  isStepped?: boolean;
  /** Over seconds. Null: was not known, and leaves a gap. */
  points: readonly { x: number; y: number | null }[];
}

export function holds({ demand, limit, measured }: Bar): boolean {
  return demand === 'at least' ? measured >= limit : measured <= limit;
}
