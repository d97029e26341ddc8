/**
 * Figures of a cluster in the units that kubectl has for them. Pure.
 *
 * Null stands for what is not known: it is shown as nothing, and is not 0.
 */

/** `212m`. */
export function formatCores(cores: number | null | undefined): string | null {
  return cores === null || cores === undefined ? null : `${Math.round(cores * 1_000)}m`;
}

/** `88Mi`. */
export function formatBytes(bytes: number | null | undefined): string | null {
  return bytes === null || bytes === undefined ? null : `${Math.round(bytes / 2 ** 20)}Mi`;
}

/** `106%` of what was requested, or of a limit; `none` where there is none. */
export function formatShare(used: number | undefined, whole: number | undefined): string | null {
  if (whole === undefined || whole === 0) return 'none';
  return used === undefined ? null : `${Math.round((used / whole) * 100)}%`;
}

/** `45s`, `12m`, `3h`, `2d`. */
export function formatAge(from: Date | undefined, now: Date): string | null {
  if (from === undefined) return null;
  const seconds = Math.max(0, Math.round((now.getTime() - from.getTime()) / 1_000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7_200) return `${Math.floor(seconds / 60)}m`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)}h` : `${Math.floor(seconds / 86_400)}d`;
}
