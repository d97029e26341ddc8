// The results of the fault comparison as tables: one for all, and one per scenario. Pure.
import { formatFigure } from '../../report/figure.ts';
import type { Cell, Section, Table } from '../../report/report.ts';
import type { Contender } from '../contender.ts';
import { WATCH_MS } from './kill.ts';
import type { Result } from './result.ts';
import type { Scenario } from './scenario.ts';

export interface Outcome {
  contenders: readonly Contender[];
  results: readonly Result[];
}

const NONE = '–';
const VOID = 'void';

export function overviewTable({ contenders, results }: Outcome): Table {
  const columns = [
    'system',
    'accepted',
    'lost',
    'ended, run again',
    'two runs at once',
    '`kill -9` to next start',
    'broker away 20 s: submits',
    'jobs meanwhile',
    'Postgres away 20 s: submits',
    'on again after',
    'stuck at the end',
  ];
  return {
    columns: columns.map((title) => ({ title })),
    rows: contenders.map((contender) => {
      const own = results.filter((result) => result.contender === contender.name);
      const find = (scenario: string) => own.find((result) => result.scenario === scenario);
      const sum = (count: (result: Result) => number) =>
        own.reduce((total, result) => total + count(result), 0);
      return [
        contender.title,
        sum(({ balance }) => balance.accepted),
        sum(({ balance }) => balance.lost),
        sum(({ balance }) => balance.startedAfterEnd),
        sum(({ balance }) => balance.overlapping),
        describeTakeover(find('kill'), contender),
        describeSubmits(find('broker')),
        describe(find('broker'), 'jobs started during'),
        describeSubmits(find('database')),
        describe(find('database'), 'progress after s', ' s'),
        sum(({ balance }) => balance.stuck),
      ];
    }),
  };
}

export function scenarioSection({ title, name }: Scenario, { contenders, results }: Outcome): Section {
  const own = results.filter(({ scenario }) => scenario === name);
  const titles = [...new Set(own.flatMap(({ figures }) => Object.keys(figures)))];
  const balances = ['accepted', 'lost', 'stuck', 'extra runs', 'ended, run again', 'two at once'];
  const columns = ['system', ...titles, ...balances, 'workers that died', 'proof'];
  const rows = contenders.flatMap((contender): Cell[][] => {
    const result = own.find((candidate) => candidate.contender === contender.name);
    if (result === undefined) return [];
    const { balance, figures, unplannedExits } = result;
    return [
      [
        result.title,
        ...titles.map((key) => round(figures[key] ?? null)),
        balance.accepted,
        balance.lost,
        balance.stuck,
        balance.extraRuns,
        balance.startedAfterEnd,
        balance.overlapping,
        unplannedExits,
        result.error ?? `${result.isVoid ? 'VOID: ' : ''}${result.proofs.map(({ what }) => what).join('; ')}`,
      ],
    ];
  });
  return { title, table: { columns: columns.map((column) => ({ title: column })), rows } };
}

function describeTakeover(result: Result | undefined, { recovery }: Contender): string {
  if (result === undefined) return NONE;
  if (isUseless(result)) return VOID;
  const { orphans, restarted } = result.figures;
  const last = result.figures['last takeover ms'];
  if (restarted !== orphans || typeof last !== 'number')
    return `${restarted ?? 0} of ${orphans ?? 0} within ${WATCH_MS / 1_000} s (${recovery})`;
  return last < 1_000 ? `${formatFigure(last)} ms` : `${formatFigure(last / 1_000, 1)} s`;
}

function describeSubmits(result: Result | undefined): string {
  if (result === undefined) return NONE;
  if (isUseless(result)) return VOID;
  const { figures } = result;
  const counts = ['accepted', 'refused', 'unanswered'].flatMap((outcome) => {
    const count = figures[`submits ${outcome}`];
    return typeof count === 'number' && count > 0 ? [`${count} ${outcome}`] : [];
  });
  const longest = figures['answer s, longest'];
  return `${counts.join(', ')}${typeof longest === 'number' ? `; at most ${formatFigure(longest, 1)} s` : ''}`;
}

function describe(result: Result | undefined, key: string, unit = ''): string {
  if (result === undefined) return NONE;
  if (isUseless(result)) return VOID;
  const value = result.figures[key] ?? null;
  return value === null ? 'not seen' : `${round(value)}${unit}`;
}

function isUseless({ isVoid, error }: Result): boolean {
  return isVoid || error !== undefined;
}

function round(value: Cell): Cell {
  if (typeof value !== 'number') return value;
  return Number.isInteger(value) ? value : formatFigure(value, Math.abs(value) < 100 ? 2 : 0);
}
