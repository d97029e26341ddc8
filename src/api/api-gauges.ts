/**
 * The gauges of the API's /metrics. Each API process tells of the whole fleet's jobs and queues, so that somebody does where no worker lives.
 */

import { connectionGauge, depthGauges } from '#queue/broker-gauges.ts';
import { databaseGauges, jobsGauge } from '#queue/database-gauges.ts';
import type { GaugeSource } from '#shared/observe/metrics/gauge-source.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import type { BodyBudget } from './body-budget.ts';
import { bodyGauges } from './body-budget.ts';

export interface ApiGaugesOptions {
  database: Database;
  connection: BrokerConnection;
  /** The queues of the application. */
  queues: readonly string[];
  bodies: BodyBudget;
}

export function apiGauges({ database, connection, queues, bodies }: ApiGaugesOptions): GaugeSource[] {
  return [
    ...databaseGauges(database, queues),
    jobsGauge(database, queues),
    connectionGauge(connection),
    ...depthGauges(() => connection, queues),
    ...bodyGauges(bodies),
  ];
}
