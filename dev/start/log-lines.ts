// Turns the programs' JSON log lines into lines for people: `12:03:04 api      info  message key=value`.

const levels: Readonly<Record<string, string>> = {
  10: 'trace',
  20: 'debug',
  30: 'info',
  40: 'warn',
  50: 'error',
  60: 'fatal',
};

/** What says the same on every line of a program. */
const omitted = new Set(['level', 'time', 'msg', 'pid', 'hostname', 'name', 'program', 'v']);

const nameWidth = 8;

export function formatLogLine(name: string, line: string, now: () => Date = () => new Date()): string {
  const entry = parseEntry(line);
  if (entry === undefined) return `${clock(now())} ${name.padEnd(nameWidth)} ${line}`;
  const level = String(entry['level'] ?? '');
  const details = Object.entries(entry)
    .filter(([key]) => !omitted.has(key))
    .map(([key, value]) => `${key}=${formatValue(value)}`);
  return [
    clock(timeOf(entry['time']) ?? now()),
    name.padEnd(nameWidth),
    (levels[level] ?? level).padEnd(5),
    [entry['msg'], ...details].filter(Boolean).join(' '),
  ].join(' ');
}

function parseEntry(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    // A line for people that happens to begin with a brace.
    return undefined;
  }
}

function timeOf(value: unknown): Date | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? undefined : date;
}

function clock(date: Date): string {
  return [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((part) => String(part).padStart(2, '0'))
    .join(':');
}

function formatValue(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /^[^\s"=]+$/.test(text) || typeof value !== 'string' ? text : JSON.stringify(text);
}
