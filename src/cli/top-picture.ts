/**
 * One look of `warren top` as text for people. Pure.
 */
import type { Column } from './api-commands.ts';
import { queueColumns, workerColumns } from './api-commands.ts';
import { describeProblems, listAutoscalers, listPods, sourcesOf } from './cluster/listings.ts';
import type { TextOptions } from './text-table.ts';
import { fitColumns, paint, textTable, toText, wrapText } from './text-table.ts';
import type { Fleet, Look } from './top-look.ts';

const topColumns: readonly Column[] = [...queueColumns, ['ENDED /s', 'endedPerSecond']];
/** What a narrow terminal does without, the first ones first. */
const leastOfQueues = ['counts.held', 'counts.scheduled', 'counts.discarded', 'counts.retryable', 'paused'];
const leastOfWorkers = ['version', 'lane', 'isLeader', 'app', 'memoryBytes', 'loopDelayMs'];

export function toPicture({ at, fleet, note, cluster }: Look, options: TextOptions): string {
  const problems = cluster === undefined ? [] : describeProblems(sourcesOf(cluster));
  const parts = [
    [
      ...(fleet === undefined ? [] : [paint(headOf(fleet), 'bold', options)]),
      ...[...(note === undefined ? [] : [toText(note)]), ...problems].map((line) =>
        paint(wrapText(`(${line})`, options), 'yellow', options),
      ),
    ].join('\n'),
    ...(fleet === undefined ? [] : [queueTable(fleet, options)]),
    ...(cluster === undefined
      ? []
      : [
          paint(`namespace ${toText(cluster.namespace)}`, 'bold', options),
          listAutoscalers(cluster, options),
          listPods(cluster, { now: at, options }),
        ]),
    ...(fleet === undefined ? [] : [workerTable(fleet, options)]),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function headOf({ queues, workers }: Fleet): string {
  const sum = (state: string) => queues.reduce((total, { counts }) => total + (counts[state] ?? 0), 0);
  const rates = queues.flatMap(({ endedPerSecond }) => endedPerSecond ?? []);
  const ended = rates.length === 0 ? '–' : Math.round(rates.reduce((total, rate) => total + rate, 0));
  return `waiting ${sum('available')}  running ${sum('running')}  scheduled ${sum('scheduled')}  workers ${workers.length}  ended ${ended}/s`;
}

function queueTable({ queues }: Fleet, options: TextOptions): string {
  return textTable(queues, fitColumns(queues, topColumns, { options, least: leastOfQueues }), options);
}

function workerTable({ workers }: Fleet, options: TextOptions): string {
  if (workers.length === 0) return 'no worker has been heard of';
  return textTable(workers, fitColumns(workers, workerColumns, { options, least: leastOfWorkers }), options);
}
