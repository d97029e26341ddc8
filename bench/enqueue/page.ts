// The results as a report: medians over the rounds, and ratios within them. Pure.
import type { Facts } from '../report/facts.ts';
import { formatFigure } from '../report/figure.ts';
import type { Bar, Cell, Column, Report, Section } from '../report/report.ts';
import { median, medianRatio } from '../report/statistics.ts';
import { renderAbReport } from './ab-report.ts';
import { contenders } from './contenders.ts';
import type { Run } from './measure.ts';
import type { ContenderResult, PlayOptions, Results } from './rounds.ts';

/** Of the source article, on its own machine: not to be compared, but to be known. */
const ARTICLE_PER_SECOND = 494;
const PROCESSES = ['server', 'worker', 'RabbitMQ', 'Postgres', 'load generator'];

export function composeReport({
  facts,
  results,
  play,
  before,
}: {
  facts: Facts;
  results: Results;
  play: PlayOptions;
  /** The commit of Warren before. */
  before: string;
}): Report {
  const { rounds, seconds, requests, connections } = play;
  return {
    name: 'enqueue',
    title: '`/api/test/:id`: look an order up and enqueue a job for it',
    command: 'npm run bench',
    facts,
    notes: [
      `Keep-alive, ${connections} connections, order ids varied, no connection asks for another one's order. ${rounds} rounds with every contender in turn, ` +
        `medians over the rounds and ratios within them. A short run is ${requests} requests, a long one about ${seconds} s; the servers are warm.`,
      "The clock is the suite's own, from the first request until everything is committed and confirmed. The load generator (autocannon) shares " +
        'the processors with the servers. No worker runs, save in the line that says so.',
      `Processes of others took ${percent(median(others(results)))} of the processors during the long runs (median; at most ${percent(Math.max(...others(results)))}).`,
      `Warren before is commit ${before}.`,
      `The article's own figure was ${ARTICLE_PER_SECOND} requests per second, on another machine.`,
    ],
    bars: bars(results),
    sections: [
      compare(`Long runs, ${rounds * seconds} s in all`, results, (result) => result.long),
      compare(`The article's run, -n ${requests} -c ${connections}`, results, (result) => result.short),
      asAb(results, `The article's run as ab reports it: Warren, the median round`),
      {
        title: 'Requests per second, long runs',
        plot: {
          kind: 'bars',
          name: 'rate',
          title: 'Requests per second',
          unit: 'committed and confirmed',
          emphasis: 'Warren',
          bars: takingPart(results).map(({ name, title }) => ({
            label: title,
            value: median(rates(of(results, name).long)),
          })),
        },
      },
    ],
    data: Object.fromEntries(results),
  };
}

function bars(results: Results): Bar[] {
  const against = (reference: string) =>
    medianRatio(rates(of(results, 'warren').long), rates(of(results, reference).long));
  const cost = (name: string) => of(results, name).long.map(systemUs);
  const failed = [...results.values()].flatMap(({ short, long }) => [...short, ...long]);
  return [
    {
      what: 'Warren against the bare Hono route, requests per second',
      demand: 'at least',
      limit: 0.4,
      measured: against('bare'),
    },
    {
      what: 'Warren against the naive way, requests per second',
      demand: 'at least',
      limit: 4,
      measured: against('naive'),
      digits: 1,
    },
    ...(results.has('warren-before')
      ? [
          {
            what: 'processor time of API, RabbitMQ and Postgres together per request, against before',
            demand: 'at most' as const,
            limit: 0.65,
            measured: medianRatio(cost('warren'), cost('warren-before')),
          },
        ]
      : []),
    {
      what: 'failed requests, of all contenders and runs',
      demand: 'at most',
      limit: 0,
      measured: failed.reduce((sum, run) => sum + run.failed, 0),
      digits: 0,
    },
  ];
}

function compare(title: string, results: Results, pick: (result: ContenderResult) => Run[]): Section {
  const columns: Column[] = [
    { title: '' },
    { title: 'requests/s' },
    { title: 'of bare', digits: 2 },
    { title: 'of before', digits: 2 },
    { title: 'p50 ms', digits: 1 },
    { title: 'p99 ms', digits: 1 },
    { title: 'failed' },
    { title: 'server, RabbitMQ, Postgres µs' },
    ...PROCESSES.map((name) => ({ title: `${name} µs` })),
  ];
  const bare = rates(pick(of(results, 'bare')));
  const older = results.get('warren-before');
  const rows = takingPart(results).map(({ name, title: label }): Cell[] => {
    const runs = pick(of(results, name));
    return [
      label,
      median(rates(runs)),
      medianRatio(rates(runs), bare),
      older === undefined ? null : medianRatio(rates(runs), rates(pick(older))),
      median(runs.map(({ percentilesMs }) => percentilesMs[50] ?? 0)),
      median(runs.map(({ percentilesMs }) => percentilesMs[99] ?? 0)),
      runs.reduce((sum, { failed }) => sum + failed, 0),
      median(runs.map(systemUs)),
      ...PROCESSES.map((process) => processorUs(runs, process)),
    ];
  });
  return { title, note: 'µs: processor time per request, of each process.', table: { columns, rows } };
}

function takingPart(results: Results) {
  return contenders.filter(({ name }) => results.has(name));
}

/** What a request costs the system that takes it in. */
function systemUs({ processorUs: used }: Run): number {
  return ['server', 'RabbitMQ', 'Postgres'].reduce((sum, name) => sum + (used[name] ?? 0), 0);
}

function processorUs(runs: readonly Run[], process: string): number | null {
  const values = runs.flatMap(({ processorUs: used }) => used[process] ?? []);
  return values.length === 0 ? null : median(values);
}

function asAb(results: Results, title: string): Section {
  const byRate = of(results, 'warren').short.toSorted((one, other) => one.perSecond - other.perSecond);
  const middle = byRate[byRate.length >> 1];
  if (middle === undefined) throw new Error('there is no run to report');
  return { title, text: renderAbReport(middle) };
}

function others(results: Results): number[] {
  return [...results.values()].flatMap(({ long }) => long.map(({ othersShare }) => othersShare));
}

function percent(share: number): string {
  return `${formatFigure(share * 100, 1)} %`;
}

function rates(runs: readonly Run[]): number[] {
  return runs.map(({ perSecond }) => perSecond);
}

function of(results: Results, name: string): ContenderResult {
  const result = results.get(name);
  if (result === undefined) throw new Error(`${name} was not measured`);
  return result;
}
