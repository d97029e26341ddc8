/**
 * When a schedule ticks. Pure: every time is given, in epoch milliseconds of the database's clock; the clock of this process is asked for nothing.
 *
 * Cron in a zone with daylight saving time, as Vixie cron has it. A time that does not exist: a job with fixed hours, minutes and seconds (`30 2 * * *`)
 * ticks at the end of the gap, one with a wildcard or a step does not. A time that comes twice: the former ticks once, at the first, the latter both
 * times. Of `30 2,3 * * *` in a gap that ends at 3:00, 2:30 ticks at 3:00.
 */
import { Cron } from 'croner';
import type { Timing } from './schedule.ts';

/** Longer than any that people write, and short enough to be looked at in no time. */
export const MAX_CRON_CHARACTERS = 200;
export const MIN_EVERY_MS = 1_000;
/** Ten years. */
export const MAX_EVERY_MS = 315_360_000_000;
const MAX_ZONE_CHARACTERS = 60;
/** How far the next tick may be: 29 February on a given weekday comes every 28 years, and every 40 across 2100. */
const FAR_YEARS = 40;
/** Where a second is not given, every one of a day may be tried. 29 February comes every 8 years at least. */
const NEAR_YEARS = 8;
const CRON_FIELDS = /^(?:@[a-z]+|[\dA-Za-z*,\-/?#+]+(?:[ \t]+[\dA-Za-z*,\-/?#+]+){4,5})$/;

export interface ScheduleTimes {
  /** The first tick after this time; null where none comes. */
  next(afterMs: number): number | null;
  /** The last ticks up to this time, that one included, oldest first; at most `limit`. */
  last(untilMs: number, limit: number): number[];
}

/** Throws `RangeError` that says what is wrong, in bounded time whatever the text is. */
export function scheduleTimes({ cron, everyMs, at, timezone = 'UTC' }: Timing): ScheduleTimes {
  if (cron !== undefined) return cronTimes(cron, timezone);
  if (everyMs !== undefined) return everyTimes(everyMs);
  return onceAt(Date.parse(at ?? ''));
}

/** Whether this Node knows the time zone. */
export function isTimeZone(name: string): boolean {
  if (name.length === 0 || name.length > MAX_ZONE_CHARACTERS) return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function cronTimes(text: string, timezone: string): ScheduleTimes {
  const pattern = text.slice(0, MAX_CRON_CHARACTERS + 1).trim();
  if (text.length > MAX_CRON_CHARACTERS || !CRON_FIELDS.test(pattern))
    throw new RangeError(
      `must be five fields of cron, or six with the seconds first, of ${MAX_CRON_CHARACTERS} characters at most`,
    );
  const cron = parse(pattern, timezone);
  return {
    next: nextWithin(pattern, timezone, cron),
    // the reference itself is not among the previous ones
    last: (untilMs, limit) =>
      cron
        .previousRuns(limit, new Date(untilMs + 1))
        .map((date) => date.getTime())
        .reverse(),
  };
}

/**
 * The next tick within some years. Without a bound croner tries every moment of a thousand years for a pattern that never comes, and where all its days
 * lie in a gap of daylight saving time that is every second of an hour of each.
 */
function nextWithin(pattern: string, timezone: string, cron: Cron): ScheduleTimes['next'] {
  const fields = pattern.split(/[ \t]+/);
  if (fields.length === 1) return (afterMs) => cron.nextRun(new Date(afterMs))?.getTime() ?? null; // `@daily`: they all come
  const [seconds = '0'] = fields.length === 6 ? fields : [];
  const years = /^\d+$/.test(seconds) ? FAR_YEARS : NEAR_YEARS;
  const withSeconds = fields.length === 6 ? fields : ['0', ...fields];
  let bounded: { year: number; cron: Cron } | undefined;
  return (afterMs) => {
    const after = new Date(afterMs);
    const year = after.getUTCFullYear();
    // The zone may be in another year than UTC.
    if (bounded?.year !== year)
      bounded = {
        year,
        cron: parse([...withSeconds, `${year - 1}-${year + years}`].join(' '), timezone, '7-part'),
      };
    return bounded.cron.nextRun(after)?.getTime() ?? null;
  };
}

function parse(pattern: string, timezone: string, mode: '5-or-6-parts' | '7-part' = '5-or-6-parts'): Cron {
  try {
    // paused, and without a function: nothing of it ever runs by itself
    return new Cron(pattern, { timezone, paused: true, mode, fixedTimeRule: 'no-wildcard' });
  } catch (error) {
    throw new RangeError(
      String((error as Error).message)
        .replace(/^Cron\w+: /, '')
        .slice(0, 200),
      { cause: error },
    );
  }
}

function everyTimes(everyMs: number): ScheduleTimes {
  return {
    next: (afterMs) => (Math.floor(afterMs / everyMs) + 1) * everyMs,
    last: (untilMs, limit) => {
      const newest = Math.floor(untilMs / everyMs);
      return Array.from({ length: limit }, (_, n) => (newest - limit + 1 + n) * everyMs);
    },
  };
}

function onceAt(atMs: number): ScheduleTimes {
  return {
    next: (afterMs) => (atMs > afterMs ? atMs : null),
    last: (untilMs) => (atMs <= untilMs ? [atMs] : []),
  };
}
