/**
 * The chores of the fleet, by name, made from what a worker has.
 */
import type { Admission } from '#queue/gates/admission.ts';
import type { Events } from '#shared/observe/events.ts';
import type { Database } from '#shared/postgres/database.ts';
import { findQueues } from '#shared/postgres/statements/queues.ts';
import { findServedTypes } from '#shared/postgres/statements/workers.ts';
import type { Publisher } from '#shared/rabbitmq/publisher.ts';
import { findQueueDepths } from '#shared/rabbitmq/queue-depth.ts';
import { createCountFolder } from './count-folder.ts';
import { createEventPruner } from './event-pruner.ts';
import { createExpirer } from './expirer.ts';
import { createGatekeeper } from './gatekeeper.ts';
import type { Chore } from './maintenance.ts';
import type { PrunerOptions } from './pruner.ts';
import { createPruner } from './pruner.ts';
import { createReconciler } from './reconciler.ts';
import { createRelay } from './relay.ts';
import { createRescuer } from './rescuer.ts';
import { createScheduler } from './scheduler.ts';
import { createTicker } from './ticker.ts';
import { createUnservedTypes } from './unserved-types.ts';
import { createUntoldSchedules } from './untold-schedules.ts';

export interface ChoreOptions {
  database: Database;
  events: Events;
  /** Opened by the first call. */
  publisher: () => Publisher;
  wakeRelay: () => void;
  admission: Admission;
  /** How long what has ended is kept. */
  kept: Pick<PrunerOptions, 'retention' | 'idempotencyKeyMs' | 'auditMs' | 'archive'>;
}

export function createChores({
  database,
  events,
  publisher,
  wakeRelay,
  admission,
  kept,
}: ChoreOptions): ReadonlyMap<string, Chore> {
  const admit = (gates: readonly string[]) => admission.admit(gates);
  return new Map([
    ['scheduler', createScheduler({ database, publisher, events, onHeld: admit })],
    ['gatekeeper', createGatekeeper({ database, admission })],
    ['ticker', createTicker({ database, publisher, events, onHeld: admit })],
    ['relay', createRelay({ database, publisher, events })],
    ['rescuer', createRescuer({ database, events, onRescued: wakeRelay, onFreed: admit })],
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
    ['untold-schedules', createUntoldSchedules({ database, events })],
    ['expirer', createExpirer({ database, events, onFreed: admit })],
    ['count-folder', createCountFolder({ database })],
    ['event-pruner', createEventPruner({ database })],
    ['pruner', createPruner({ database, events, onFreed: admit, ...kept })],
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
