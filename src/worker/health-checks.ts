/**
 * What a worker needs, each by name, as its /readyz shows it. The words are general ones: what a server said may name hosts and users, and /readyz is
 * open to everybody; that stands in the log.
 */
import type { Check } from '#shared/base/health-check.ts';
import { checkPostgres } from '#shared/postgres/check-postgres.ts';
import type { Database } from '#shared/postgres/database.ts';
import { checkRabbitmq } from '#shared/rabbitmq/check-rabbitmq.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import type { Standing } from './health.ts';

export interface HealthChecksOptions {
  database: Database;
  connection: BrokerConnection;
  standing: Standing;
  /** False once the worker stops. */
  isAccepting: boolean;
}

export async function checkWorker({
  database,
  connection,
  standing: { isPresent, lane, consumers },
  isAccepting,
}: HealthChecksOptions): Promise<Record<string, Check>> {
  const { registered, wanted } = consumers;
  return {
    postgres: await checkPostgres(database),
    presence: { ok: isPresent },
    rabbitmq: checkRabbitmq(connection),
    consumers: { ok: registered === wanted, detail: `${registered} of ${wanted}` },
    lane: checkLane(lane, connection),
    accepting: { ok: isAccepting },
  };
}

/** Not as it should be while jobs are taken straight from Postgres, unless that is what was configured. */
function checkLane(lane: Standing['lane'], { isConfigured }: BrokerConnection): Check {
  if (lane === 'rabbitmq') return { ok: true, detail: 'jobs come from RabbitMQ' };
  return { ok: !isConfigured, detail: 'jobs are taken straight from Postgres' };
}
