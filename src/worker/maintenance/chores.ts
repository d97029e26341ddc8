/**
 * The chores of the fleet, by name, made from what a worker has.
 */
import type { JobDefinition } from '#shared/job/job.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import { findQueueDepths } from '#shared/rabbitmq/queue-depth.ts';
import type { Chore } from './maintenance.ts';
import type { PrunerOptions } from './pruner.ts';
import { createPruner } from './pruner.ts';
import { createReconciler } from './reconciler.ts';
import { createRelay } from './relay.ts';
import { createRescuer } from './rescuer.ts';
import { createScheduler } from './scheduler.ts';

export interface ChoreOptions {
  database: Database;
  /** Opened by the first call. */
  publisher: () => Publisher;
  wakeRelay: () => void;
  queues: readonly string[];
  definitions: ReadonlyMap<string, JobDefinition>;
  /** How long what has ended is kept. */
  kept: Pick<PrunerOptions, 'retention' | 'idempotencyKeyMs'>;
}

export function createChores({
  database,
  publisher,
  wakeRelay,
  queues,
  definitions,
  kept,
}: ChoreOptions): ReadonlyMap<string, Chore> {
  return new Map([
    ['scheduler', createScheduler({ database, publisher })],
    ['relay', createRelay({ database, publisher })],
    ['rescuer', createRescuer({ database, onRescued: wakeRelay })],
    [
      'reconciler',
      createReconciler({
        database,
        emptyQueues: () => findEmptyQueues(publisher(), queues),
        onFound: wakeRelay,
      }),
    ],
    ['pruner', createPruner({ database, definitions, ...kept })],
  ]);
}

/** None while the broker cannot be asked. */
async function findEmptyQueues(
  { connection, ready }: Publisher,
  queues: readonly string[],
): Promise<string[]> {
  if (connection.model === undefined || !ready) return [];
  const depths = await findQueueDepths(connection.model, queues);
  return queues.filter((queue) => depths.get(queue)?.ready === 0);
}
