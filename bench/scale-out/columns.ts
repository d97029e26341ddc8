// Text in columns as kubectl prints it, and numbers in its units. Pure.
import type { Resources } from './pods.ts';

export const UNKNOWN = 'unknown';

const GAP = '   ';

/** Every cell as wide as the widest of its column. The first row is the heading. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows.map((row) =>
    row
      .map((cell, index) => cell.padEnd(widths[index] ?? 0))
      .join(GAP)
      .trimEnd(),
  );
}

/** `212m`. */
export function formatCores(cores: number | null | undefined): string {
  return cores === null || cores === undefined ? UNKNOWN : `${Math.round(cores * 1_000)}m`;
}

/** `88Mi`. */
export function formatBytes(bytes: number | null | undefined): string {
  return bytes === null || bytes === undefined ? UNKNOWN : `${Math.round(bytes / 2 ** 20)}Mi`;
}

/** `106%` of what was requested; `-` where nothing was. */
export function formatShare(used: number | undefined, requested: number | undefined): string {
  if (requested === undefined || requested === 0) return '-';
  return used === undefined ? UNKNOWN : `${Math.round((used / requested) * 100)}%`;
}

/** `45s`, `12m`, `3h`, `2d`. */
export function formatAge(from: Date | undefined, now: Date): string {
  if (from === undefined) return UNKNOWN;
  const seconds = Math.max(0, Math.round((now.getTime() - from.getTime()) / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}

export const nothing: Resources = { cores: undefined, bytes: undefined };
