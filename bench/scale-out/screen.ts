// The live view: what stands on a terminal, and the one line where there is none. Pure: text in, text out.
import { describeTargets, listAutoscalers, listPods } from '../../src/cli/cluster/listings.ts';
import { formatClock, formatFigure } from '../report/figure.ts';
import { describeConnections, describeUnknown, formatCount, listQueues, UNKNOWN } from './listings.ts';
import type { Round } from './load.ts';
import { totalQueues } from './queues.ts';
import type { Phase, Point } from './timeline.ts';
import { countWorkloads } from './timeline.ts';
import type { Snapshot } from './watcher.ts';

/** The load as far as people want to see it. */
export interface LoadState {
  /** What is sent, in words. */
  what: string;
  answered: number;
  failed: number;
  failure: string | undefined;
  perSecond: number | null;
  rounds: number;
  lastRound: Round | undefined;
  isHolding: boolean;
}

export interface View {
  snapshot: Snapshot;
  point: Point;
  /** Since the phase began. */
  phaseSeconds: number;
  /** What ends the phase, in words. */
  until: string;
  namespace: string;
  /** Undefined: nothing is sent. */
  load: LoadState | undefined;
  now: Date;
}

const phaseTitles: Readonly<Record<Phase, string>> = { before: 'before', load: 'under load', after: 'after' };

/** The whole screen, at most `rows` lines of at most `columns` characters. */
export function renderScreen(view: View, { rows, columns }: { rows: number; columns: number }): string[] {
  const { snapshot, now } = view;
  const options = { width: columns, hasColors: false };
  const below = [
    '',
    ...listAutoscalers(snapshot, options).split('\n'),
    '',
    ...listQueues(snapshot, options).split('\n'),
    '',
    `Jobs/s     ${formatRate(snapshot.jobsPerSecond)}`,
    ...(view.load === undefined ? [] : [`Requests   ${describeLoad(view.load)}`]),
    `Postgres   ${describeConnections(snapshot)}`,
    ...describeUnknown(snapshot).map((line) => `! ${line}`),
  ];
  const head = [renderHead(view), ''];
  const podRows = Math.max(1, rows - head.length - below.length - 3);
  return [...head, ...listPods(snapshot, { now, options, most: podRows }).split('\n'), ...below]
    .slice(0, Math.max(1, rows - 1))
    .map((line) => clip(line, columns));
}

/** The same in one line, for logs. */
export function renderLine({ snapshot, point, load }: View): string {
  const { pods, autoscalers, queues, activity, jobsPerSecond } = snapshot;
  const counts = countWorkloads(snapshot);
  const scaled = (autoscalers.ok ? autoscalers.value : []).map((autoscaler) => {
    const { target, current, desired, min, max } = autoscaler;
    const ready = pods.ok ? (counts[target]?.ready ?? 0) : '?';
    return `${target} ${ready} ready, ${current ?? '?'}→${desired ?? '?'} (${min}–${max}) ${describeTargets(autoscaler)}`;
  });
  const { waiting, running, consumers } = queues.ok
    ? totalQueues(queues.value)
    : { waiting: null, running: null, consumers: null };
  const parts = [
    ...(autoscalers.ok && scaled.length === 0 ? ['no hpa'] : scaled),
    `jobs ${formatCount(waiting)} waiting, ${formatCount(running)} running`,
    `consumers ${formatCount(consumers)}`,
    `jobs/s ${formatRate(jobsPerSecond)}`,
    ...(load === undefined
      ? []
      : [`req/s ${formatRate(load.perSecond)}${load.failed > 0 ? `, failed ${load.failed}` : ''}`]),
    ...(activity === undefined ? [] : [`pg ${describeConnections(snapshot)}`]),
    ...describeUnknown(snapshot).map((line) => `! ${line}`),
  ];
  return `${formatClock(point.seconds)} ${phaseTitles[point.phase].padEnd(10)}  ${parts.join('; ')}`;
}

function renderHead({ point, phaseSeconds, until, namespace }: View): string {
  return `Warren scale-out, namespace ${namespace}   ${phaseTitles[point.phase]} ${formatClock(phaseSeconds)} ${until}   total ${formatClock(point.seconds)}`;
}

function describeLoad({
  what,
  answered,
  failed,
  failure,
  perSecond,
  rounds,
  lastRound,
  isHolding,
}: LoadState): string {
  const round =
    lastRound === undefined
      ? ''
      : `, round ${rounds} ${formatFigure(lastRound.seconds, 2)} s p50 ${formatFigure(lastRound.p50Ms)} ms p99 ${formatFigure(lastRound.p99Ms)} ms`;
  const failures = failed === 0 ? '' : `, failed ${formatFigure(failed)} (${failure ?? ''})`;
  const held = isHolding ? ', waits for the workers' : '';
  return `${formatRate(perSecond)}/s ${what}, ${formatFigure(answered)} answered${round}${failures}${held}`;
}

export function formatRate(rate: number | null): string {
  return rate === null ? UNKNOWN : formatFigure(rate, rate < 10 && rate > 0 ? 1 : 0);
}

function clip(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, Math.max(0, columns - 1))}…`;
}
