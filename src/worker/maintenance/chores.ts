/**
 * The chores of the fleet, by name, made from what a worker has.
 */
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { findQueues } from '#shared/postgres/statements/queues.ts';
import { findServedTypes } from '#shared/postgres/statements/workers.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import { findQueueDepths } from '#shared/rabbitmq/queue-depth.ts';
import type { Chore } from './maintenance.ts';
import type { PrunerOptions } from './pruner.ts';
import { createPruner } from './pruner.ts';
import { createReconciler } from './reconciler.ts';
import { createRelay } from './relay.ts';
import { createRescuer } from './rescuer.ts';
import { createScheduler } from './scheduler.ts';
import { createUnservedTypes } from './unserved-types.ts';

export interface ChoreOptions {
  database: Database;
  events: Events;
  /** Opened by the first call. */
  publisher: () => Publisher;
  wakeRelay: () => void;
  /** How long what has ended is kept. */
  kept: Pick<PrunerOptions, 'retention' | 'idempotencyKeyMs'>;
}

export function createChores({
  database,
  events,
  publisher,
  wakeRelay,
  kept,
}: ChoreOptions): ReadonlyMap<string, Chore> {
  return new Map([
    ['scheduler', createScheduler({ database, publisher, events })],
    ['relay', createRelay({ database, publisher, events })],
    ['rescuer', createRescuer({ database, events, onRescued: wakeRelay })],
    [
      'reconciler',
      createReconciler({
        database,
        events,
        emptyQueues: () => findEmptyQueues(publisher(), database),
        onFound: wakeRelay,
      }),
    ],
    ['unserved-types', createUnservedTypes({ database, events })],
    ['pruner', createPruner({ database, events, ...kept })],
  ]);
}

/** Of the queues that living workers serve, of whichever application (all that are known, where one may serve all); none while the broker cannot be asked. */
async function findEmptyQueues({ connection, ready }: Publisher, database: Database): Promise<string[]> {
  if (connection.model === undefined || !ready) return [];
  const { told, mayServeAll } = await database.query(findServedTypes);
  const known = mayServeAll ? await database.query(findQueues) : [];
  const queues = [...new Set([...told.map(({ queue }) => queue), ...known.map(({ name }) => name)])];
  const depths = await findQueueDepths(connection.model, queues);
  return queues.filter((queue) => depths.get(queue)?.ready === 0);
}
