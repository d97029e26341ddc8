/**
 * What a worker needs, each by name, as its /readyz shows it. The words are general ones: what a server said may name hosts and users, and /readyz is
 * open to everybody; that stands in the log.
 */
import type { Database } from '#shared/postgres/database.ts';
import type { BrokerConnection } from '#shared/rabbitmq/connection.ts';
import type { Check, Standing } from './health.ts';

const CHECK_DEADLINE_MS = 1_000;

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

async function checkPostgres(database: Database): Promise<Check> {
  try {
    await database.query(async (sql) => await sql`select 1`, CHECK_DEADLINE_MS);
    return { ok: true };
  } catch {
    return { ok: false, detail: `no answer within ${CHECK_DEADLINE_MS} ms` };
  }
}

function checkRabbitmq({ isConfigured, model }: BrokerConnection): Check {
  if (!isConfigured) return { ok: true, detail: 'none is configured' };
  return { ok: model !== undefined };
}

/** Not as it should be while jobs are taken straight from Postgres, unless that is what was configured. */
function checkLane(lane: Standing['lane'], { isConfigured }: BrokerConnection): Check {
  if (lane === 'rabbitmq') return { ok: true, detail: 'jobs come from RabbitMQ' };
  return { ok: !isConfigured, detail: 'jobs are taken straight from Postgres' };
}
