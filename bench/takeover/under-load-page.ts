// The takeovers of a fleet under load as a report. Pure.
import type { Facts } from '../report/facts.ts';
import type { Bar, Report } from '../report/report.ts';
import { percentile } from '../report/statistics.ts';
import type { UnderLoad } from './under-load.ts';
import { JOB_MS, PER_SECOND, SLOTS, WORKERS } from './under-load.ts';

const MAX_MS = { p50: 60, p99: 250 };

export interface UnderLoadReport {
  /** Of each checkout that was played; the first is held to the bars. */
  results: readonly UnderLoad[];
  facts: Facts;
  othersShare: number;
}

export function describeUnderLoad({ results, facts, othersShare }: UnderLoadReport): Report {
  const [own] = results;
  if (own === undefined) throw new Error('nothing was played');
  return {
    name: 'takeover-under-load',
    title: 'From `kill -9` to the next start, in a fleet under load',
    command: 'npm run bench:takeover -- --part load',
    facts,
    notes: [
      `${WORKERS} workers of ${SLOTS} slots, ${PER_SECOND} jobs of ${JOB_MS / 1_000} s per second, one worker after the other is killed and started again. ` +
        'Starts and ends are read from what the handlers themselves wrote, completions from what the database committed.',
      `Processes of others took ${Math.round(othersShare * 100)} % of the processors meanwhile.`,
    ],
    bars: barsOf(own),
    sections: [{ title: 'Takeovers', table: tableOf(results) }],
    data: results,
  };
}

function barsOf({ orphans, figures }: UnderLoad): Bar[] {
  const atMost = { demand: 'at most', digits: 0 } as const;
  const none = (what: string, measured: number): Bar => ({ ...atMost, what, limit: 0, measured });
  return [
    {
      ...atMost,
      what: 'takeover, p50',
      limit: MAX_MS.p50,
      measured: percentile(figures.takeoverMs, 50),
      unit: 'ms',
    },
    {
      ...atMost,
      what: 'takeover, p99',
      limit: MAX_MS.p99,
      measured: percentile(figures.takeoverMs, 99),
      unit: 'ms',
    },
    none('orphans that were not started again', orphans - figures.takeoverMs.length),
    none('jobs lost', figures.lost.length),
    none('started after the completion was committed', figures.runsAfterSuccess.length),
    none('overlapping runs of one job', figures.overlaps.length),
  ];
}

function tableOf(results: readonly UnderLoad[]) {
  const titles = [
    'checkout',
    'jobs',
    'kills',
    'orphans',
    'started again',
    'first ms',
    'p50 ms',
    'p90 ms',
    'p99 ms',
    'last ms',
  ];
  return {
    columns: titles.map((title) => ({ title })),
    rows: results.map(({ checkout, kills, orphans, figures: { acknowledged, takeoverMs } }) => [
      checkout,
      acknowledged,
      kills,
      orphans,
      takeoverMs.length,
      ...[0, 50, 90, 99, 100].map((percent) => percentile(takeoverMs, percent)),
    ]),
  };
}
