// What a run leaves behind, as text: Before, During and After as kubectl would have shown them, the three compared, what happened when. Pure.
import { formatBytes, formatCores } from '../../src/cli/cluster/figures.ts';
import { listAutoscalers, listPods } from '../../src/cli/cluster/listings.ts';
import { formatClock, formatFigure } from '../report/figure.ts';
import { renderTable } from '../report/markdown.ts';
import type { Cell, Table } from '../report/report.ts';
import { describeConnections, describeUnknown, listQueues } from './listings.ts';
import type { Figure, PhaseSummary } from './phases.ts';
import type { Reactions } from './reactions.ts';
import type { ScalingEvent } from './scaling-events.ts';
import { formatRate } from './screen.ts';
import type { Phase } from './timeline.ts';

export interface LoadTotals {
  what: string;
  answered: number;
  failed: number;
  failure: string | undefined;
  jobs: number;
  rounds: number;
  /** Of the best whole round. */
  bestPerSecond: number | null;
  p50Ms: number | null;
  p99Ms: number | null;
}

export interface RunRecord {
  /** RFC 3339. */
  startedAt: string;
  /** What a reader types to repeat it. */
  command: string;
  namespace: string;
  /** Undefined where the phase was not reached. */
  phases: Partial<Record<Phase, PhaseSummary>>;
  /** Those with an autoscaler; all where there is none. */
  workloads: readonly string[];
  /** Undefined: nothing was sent. */
  load: LoadTotals | undefined;
  reactions: Reactions;
  events: readonly ScalingEvent[];
  eventsDropped: number;
}

const titles: Readonly<Record<Phase, string>> = { before: 'Before', load: 'During', after: 'After' };
const order = ['before', 'load', 'after'] as const;

export function renderRun(record: RunRecord): string {
  const reached = order.filter((phase) => record.phases[phase]?.picture !== undefined);
  const parts = [
    '# Scale-out',
    `\`${record.command}\`, ${record.startedAt.slice(0, 16).replace('T', ' ')} UTC, namespace \`${record.namespace}\`.`,
    ...(record.load === undefined ? [] : [describeTotals(record.load)]),
    '## Before, during, after',
    renderTable(compare(record, reached)),
    ...reached.flatMap((phase) => renderPhase(phase, record)),
    ...renderHappenings(record),
    '![replicas, CPU, depth and throughput over time](timeline.svg)',
  ];
  return `${parts.join('\n\n')}\n`;
}

function describeTotals(load: LoadTotals): string {
  const { what, answered, failed, failure, jobs, rounds, bestPerSecond, p50Ms, p99Ms } = load;
  const sentences = [
    `Load: ${what}.`,
    `${formatFigure(answered)} requests answered, ${failed === 0 ? 'none' : formatFigure(failed)} failed${failed === 0 ? '' : ` (the last one: ${failure ?? 'unknown'})`}, ${formatFigure(jobs)} jobs enqueued.`,
    ...(bestPerSecond === null
      ? []
      : [`Whole rounds: ${rounds}, the best at ${formatFigure(bestPerSecond)} requests per second.`]),
    ...(p50Ms === null || p99Ms === null
      ? []
      : [
          `Answers took ${formatFigure(p50Ms)} ms in the middle, ${formatFigure(p99Ms)} ms at the 99th percentile.`,
        ]),
  ];
  return sentences.join(' ');
}

/** One line per figure, one column per phase. */
function compare({ phases, workloads }: RunRecord, reached: readonly Phase[]): Table {
  const summaries = reached.flatMap((phase) => phases[phase] ?? []);
  const line = (title: string, cell: (summary: PhaseSummary) => Cell): Cell[] => [
    title,
    ...summaries.map(cell),
  ];
  const ofWorkload = (workload: string) => {
    const at = ({ picture }: PhaseSummary) => picture?.point.workloads?.[workload];
    return [
      line(`${workload}: pods ready`, (summary) => at(summary)?.ready ?? null),
      line(`${workload}: CPU`, (summary) => formatCores(at(summary)?.cores)),
      line(`${workload}: memory`, (summary) => formatBytes(at(summary)?.bytes)),
    ];
  };
  const programs = new Set(summaries.flatMap(({ databaseConnections }) => Object.keys(databaseConnections)));
  return {
    columns: [{ title: '' }, ...reached.map((phase) => ({ title: titles[phase] }))],
    rows: [
      line('lasted', ({ seconds }) => formatClock(seconds)),
      ...workloads.flatMap(ofWorkload),
      line('jobs/s, mean (highest)', ({ jobsPerSecond }) => meanAndMost(jobsPerSecond)),
      line('requests/s, mean (highest)', ({ requestsPerSecond }) => meanAndMost(requestsPerSecond)),
      line('jobs waiting or running, highest (last)', ({ depth }) => mostAndLast(depth)),
      line('consumers, highest (last)', ({ consumers }) => mostAndLast(consumers)),
      ...[...programs].map((program) =>
        line(`Postgres connections of ${program}, highest (last)`, ({ databaseConnections }) => {
          const figure = databaseConnections[program];
          return figure === undefined ? null : mostAndLast(figure);
        }),
      ),
    ],
  };
}

function meanAndMost({ mean, most }: Figure): string | null {
  return mean === null || most === null ? null : `${formatRate(mean)} (${formatRate(most)})`;
}

function mostAndLast({ most, last }: Figure): string | null {
  return most === null || last === null ? null : `${formatFigure(most)} (${formatFigure(last)})`;
}

/** Nothing is cut. */
const page = { width: undefined, hasColors: false };
const MAX_PODS = 40;

function renderPhase(phase: Phase, { phases }: RunRecord): string[] {
  const picture = phases[phase]?.picture;
  if (picture === undefined) return [];
  const { snapshot, point, takenAt } = picture;
  const lines = [
    listPods(snapshot, { now: takenAt, options: page, most: MAX_PODS }),
    '',
    listAutoscalers(snapshot, page),
    '',
    listQueues(snapshot, page),
    '',
    `Jobs/s     ${formatRate(point.jobsPerSecond)}`,
    ...(point.requestsPerSecond === null ? [] : [`Requests/s ${formatRate(point.requestsPerSecond)}`]),
    `Postgres   ${describeConnections(snapshot)}`,
    ...describeUnknown(snapshot),
  ];
  const moment = phase === 'load' ? 'when most pods were ready' : 'as it was last seen';
  return [
    `## ${titles[phase]}`,
    `At ${formatClock(point.seconds)}, ${moment}.`,
    `\`\`\`\n${lines.join('\n')}\n\`\`\``,
  ];
}

function renderHappenings(record: RunRecord): string[] {
  const { reactions, events } = record;
  const parts = [
    ...(reactions.steps.length === 0 ? [] : [renderTable(reactionTable(reactions))]),
    ...(events.length === 0 ? [] : [renderEvents(record)]),
  ];
  return parts.length === 0 ? [] : ['## What happened when', ...parts];
}

function reactionTable({ loadSeconds, steps }: Reactions): Table {
  return {
    columns: [{ title: 'at' }, { title: 'since the load began' }, { title: 'what' }],
    rows: steps.map(({ seconds, what }) => [
      formatClock(seconds),
      loadSeconds === undefined || seconds < loadSeconds ? null : `${formatFigure(seconds - loadSeconds)} s`,
      what,
    ]),
  };
}

/** Those that matter most to a reader fit on a page; all are in the JSON file. */
const MAX_LISTED = 60;

function renderEvents({ events, eventsDropped }: RunRecord): string {
  const listed = events.slice(0, MAX_LISTED);
  const left = events.length - listed.length + eventsDropped;
  const lines = listed.map(({ seconds, text }) => `${formatClock(seconds)}  ${text}`);
  return `\`\`\`\n${[...lines, ...(left > 0 ? [`… and ${left} more (timeline.json)`] : [])].join('\n')}\n\`\`\``;
}
