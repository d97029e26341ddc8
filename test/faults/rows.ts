// The rows of the fault matrix that can be played, in the order in which they are.
import { backlogRows } from './rows/backlog.ts';
import { brokerRows } from './rows/broker.ts';
import { clusterRows } from './rows/cluster.ts';
import { databaseRows } from './rows/database.ts';
import { messageRows } from './rows/duplicates.ts';
import { gracefulRows } from './rows/graceful.ts';
import { handlerRows } from './rows/handlers.ts';
import { killRows } from './rows/kills.ts';
import { leaderRows } from './rows/leaders.ts';
import { limitRows } from './rows/limits.ts';
import { networkRows } from './rows/network.ts';
import { outageRows } from './rows/outages.ts';
import { outboxRows } from './rows/outbox.ts';
import { ownTransactionRows } from './rows/own-transactions.ts';
import { partitionRows } from './rows/partition.ts';
import { pauseRows } from './rows/pauses.ts';
import { queueRows } from './rows/queues.ts';
import { scheduleRows } from './rows/schedules.ts';
import { topologyRows } from './rows/topology.ts';
import { transactionRows } from './rows/transactions.ts';
import { undoneClaimRows } from './rows/undone-claims.ts';
import { placeRows } from './rows/who-may-run.ts';
import { orderRows } from './rows/who-may-run-order.ts';
import type { Row } from './stage/scene.ts';

export const rows: readonly Row[] = [
  ...killRows,
  ...gracefulRows,
  ...outboxRows,
  ...messageRows,
  ...queueRows,
  ...brokerRows,
  ...databaseRows,
  ...undoneClaimRows,
  ...placeRows,
  ...orderRows,
  ...pauseRows,
  ...networkRows,
  ...handlerRows,
  ...transactionRows,
  ...ownTransactionRows,
  ...topologyRows,
  ...backlogRows,
  ...limitRows,
  ...leaderRows,
  ...scheduleRows,
  ...outageRows,
  ...clusterRows,
  ...partitionRows,
].toSorted((a, b) => a.number - b.number);
