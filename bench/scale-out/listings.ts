// A moment as text, beside what `warren top --pods` shows of the cluster: queues and connections. Pure.
// What is not known reads `unknown`; why, is told by `describeUnknown`.
import type { Column } from '../../src/cli/api-commands.ts';
import { describeProblems, sourcesOf } from '../../src/cli/cluster/listings.ts';
import type { TextOptions } from '../../src/cli/text-table.ts';
import { textTable } from '../../src/cli/text-table.ts';
import { formatFigure } from '../report/figure.ts';
import type { QueueState } from './queues.ts';
import { totalQueues } from './queues.ts';
import { countConnections } from './timeline.ts';
import type { Snapshot } from './watcher.ts';

export const UNKNOWN = 'unknown';

const queueColumns: readonly Column[] = [
  ['QUEUE', 'name'],
  ['WAITING', 'waiting'],
  ['RUNNING', 'running'],
  ['CONSUMERS', 'consumers'],
];

export function listQueues({ queues }: Snapshot, options: TextOptions): string {
  if (!queues.ok) return `queues: ${UNKNOWN}`;
  const toRow = ({ name, waiting, running, consumers }: Omit<QueueState, 'completed'>) => {
    return { name, waiting, running, consumers: consumers ?? UNKNOWN };
  };
  const rows = [...queues.value.map(toRow), toRow({ name: '(all)', ...totalQueues(queues.value) })];
  return textTable(rows, queueColumns, options);
}

/** `warren-api 10, warren-worker 44 (of 97)`. */
export function describeConnections({ activity }: Snapshot): string {
  if (activity === undefined) return 'not watched (no DATABASE_URL)';
  if (!activity.ok) return UNKNOWN;
  const counts = Object.entries(countConnections(activity.value.applications));
  const programs = counts.map(([program, count]) => `${program} ${count}`);
  return `${programs.join(', ') || 'none'} (${activity.value.total} of ${activity.value.max})`;
}

/** Why something is not known: one line per reason. */
export function describeUnknown(snapshot: Snapshot): string[] {
  const { queues, activity } = snapshot;
  return describeProblems({ ...sourcesOf(snapshot), queues, Postgres: activity });
}

export function formatCount(count: number | null): string {
  return count === null ? UNKNOWN : formatFigure(count);
}
