// One table of who holds what: Postgres connections, RabbitMQ connections, channels and consumers, by process, against their maxima. Pure.
import { textTable } from '../../src/cli/text-table.ts';
import type { Activity } from './activity.ts';
import type { BrokerConnections } from './management.ts';
import type { Maxima, Settings } from './maxima.ts';
import { maximaOf, processOf } from './maxima.ts';

export interface Holdings {
  /** One row per process, sorted by name. */
  rows: readonly Holding[];
  /** What exceeds its maximum, in words. */
  exceeded: readonly string[];
}

export interface Holding {
  process: string;
  database: number;
  /** Of those, the ones that run a statement now. */
  active: number;
  connections: number;
  channels: number;
  consumers: number;
  /** Undefined: none of ours. */
  maxima: Maxima | undefined;
}

const kinds = {
  database: 'Postgres connections',
  connections: 'RabbitMQ connections',
  channels: 'channels',
  consumers: 'consumers',
} as const;

/** Undefined for a server that was not asked. */
export interface Sources {
  activity: Activity | undefined;
  broker: readonly BrokerConnections[] | undefined;
  settings: Settings;
}

export function compareHoldings({ activity, broker, settings }: Sources): Holdings {
  const rows = new Map<string, Holding>();
  const rowOf = (name: string): Holding => {
    const process = processOf(name);
    const found = rows.get(process);
    if (found !== undefined) return found;
    const row = { process, database: 0, active: 0, connections: 0, channels: 0, consumers: 0 };
    const added = { ...row, maxima: maximaOf(process, settings) };
    rows.set(process, added);
    return added;
  };
  for (const { name, connections, active } of activity?.applications ?? []) {
    rowOf(name).database += connections;
    rowOf(name).active += active;
  }
  for (const { name, connections, channels, consumers } of broker ?? []) {
    const row = rowOf(name);
    row.connections += connections;
    row.channels += channels;
    row.consumers += consumers;
  }
  const sorted = [...rows.values()].toSorted((one, other) => one.process.localeCompare(other.process));
  return { rows: sorted, exceeded: [...sorted.flatMap(findExcesses), ...findServerExcess(sorted, activity)] };
}

function findExcesses({ process, maxima, ...held }: Holding): string[] {
  if (maxima === undefined) return [];
  return (Object.keys(kinds) as (keyof typeof kinds)[])
    .filter((kind) => held[kind] > maxima[kind])
    .map((kind) => `${process} holds ${held[kind]} ${kinds[kind]}, its settings allow ${maxima[kind]}`);
}

/** The server has to have room for every pool at its largest. */
function findServerExcess(rows: readonly Holding[], activity: Activity | undefined): string[] {
  if (activity === undefined) return [];
  const { max } = activity;
  const needed = neededOf(rows);
  return needed > max
    ? [
        `the pools may open ${needed} Postgres connections together with what others hold, the server allows ${max}`,
      ]
    : [];
}

/** Every pool full, and what others hold now. */
function neededOf(rows: readonly Holding[]): number {
  return rows.reduce((sum, { database, maxima }) => sum + (maxima?.database ?? database), 0);
}

export function renderHoldings({ rows }: Holdings, { activity, broker }: Omit<Sources, 'settings'>): string {
  const head = ['PROCESS', 'POSTGRES', 'ACTIVE', 'RABBITMQ', 'CHANNELS', 'CONSUMERS'];
  const columns = head.map((heading, at) => [heading, String(at)] as const);
  const unknown = (isKnown: boolean, text: string) => (isKnown ? text : 'unknown');
  const cells = rows.map(({ process, maxima, active, ...held }) => {
    const of = (kind: keyof typeof kinds) =>
      maxima === undefined ? String(held[kind]) : `${held[kind]}/${maxima[kind]}`;
    return [
      process,
      unknown(activity !== undefined, of('database')),
      unknown(activity !== undefined, String(active)),
      ...(['connections', 'channels', 'consumers'] as const).map((kind) =>
        unknown(broker !== undefined, of(kind)),
      ),
    ];
  });
  const sum = (kind: keyof typeof kinds | 'active') => rows.reduce((total, row) => total + row[kind], 0);
  const all = [
    '(all)',
    unknown(activity !== undefined, `${sum('database')}/${activity?.max}`),
    unknown(activity !== undefined, String(sum('active'))),
    ...(['connections', 'channels', 'consumers'] as const).map((kind) =>
      unknown(broker !== undefined, String(sum(kind))),
    ),
  ];
  const room =
    activity === undefined
      ? []
      : ['', `Every pool full: ${neededOf(rows)} of ${activity.max} Postgres connections.`];
  return [textTable([...cells, all], columns, { width: undefined, hasColors: false }), ...room].join('\n');
}
