// The takeovers as a report. Pure.
import type { Facts } from '../../report/facts.ts';
import type { Bar, Plot, Report, Table } from '../../report/report.ts';
import { percentile } from '../../report/statistics.ts';

export interface Takeovers {
  name: string;
  title: string;
  recovery: string;
  kills: number;
  /** Jobs that ran in killed processes. */
  orphans: number;
  /** From the kill to the next start, of each orphan that was started again in time. */
  takeoverMs: number[];
  error?: string;
}

const MAX_P99_MS = 250;
const PERCENTS = [0, 50, 99, 100];

export interface TakeoverReport {
  results: readonly Takeovers[];
  facts: Facts;
  /** How long the orphans of a kill were watched. */
  watchSeconds: number;
}

export function describeTakeovers({ results, facts, watchSeconds }: TakeoverReport): Report {
  const own = results.find(({ name }) => name === 'warren');
  const seen = results.filter(({ takeoverMs }) => takeoverMs.length > 0);
  return {
    name: 'takeover',
    title: 'From `kill -9` to the next start',
    command: 'npm run bench:takeover -- --part versus',
    facts,
    notes: [
      `Two workers with every time-out at its default (Warren’s of 100 slots, the others’ of 20), as many jobs of 4 s as one of them has slots, the busier worker is killed; the other has room for all. Watched for ${watchSeconds} s. Starts are read from what the handlers themselves wrote.`,
    ],
    bars: own === undefined || own.takeoverMs.length === 0 ? [] : barsOf(own),
    sections: [
      {
        title: 'All systems',
        table: tableOf(results, watchSeconds),
        ...(seen.length === 0 ? {} : { plot: plotOf(seen, watchSeconds) }),
      },
    ],
    data: results,
  };
}

function barsOf({ takeoverMs, orphans }: Takeovers): Bar[] {
  const atMost = { demand: 'at most', digits: 0 } as const;
  return [
    {
      ...atMost,
      what: '`kill -9` to the next start, p99',
      limit: MAX_P99_MS,
      measured: percentile(takeoverMs, 99),
      unit: 'ms',
    },
    {
      ...atMost,
      what: 'orphans that were not started again',
      limit: 0,
      measured: orphans - takeoverMs.length,
    },
  ];
}

function tableOf(results: readonly Takeovers[], watchSeconds: number): Table {
  const titles = ['system', 'kills', 'orphans', 'started again', 'first ms', 'p50 ms', 'p99 ms', 'last ms'];
  return {
    columns: [...titles, 'as documented'].map((title) => ({ title })),
    rows: results.map(({ title, kills, orphans, takeoverMs, error, recovery }) => [
      title,
      kills,
      orphans,
      `${takeoverMs.length} within ${watchSeconds} s`,
      ...PERCENTS.map((percent) => (takeoverMs.length === 0 ? null : percentile(takeoverMs, percent))),
      error ?? recovery,
    ]),
  };
}

function plotOf(seen: readonly Takeovers[], watchSeconds: number): Plot {
  return {
    kind: 'bars',
    name: 'p50',
    title: 'kill -9 to the next start, median',
    unit: `seconds; who is missing took longer than ${watchSeconds}`,
    digits: 3,
    bars: seen.map(({ title, takeoverMs }) => ({
      label: title,
      value: percentile(takeoverMs, 50) / 1_000,
    })),
  };
}
