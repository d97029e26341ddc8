// `npm run bench:connections`: who holds which connections to Postgres and RabbitMQ, against what the settings allow.
// DATABASE_URL and RABBITMQ_MANAGEMENT_URL (or AMQP_URL) say where; DATABASE_POOL_MAX, PUBLISHER_CHANNELS and WORKER_QUEUES what is allowed.
// Exit code 1 where something exceeds its maximum, 2 where nothing could be asked.
import { readCommandLine } from '../../dev/command-line.ts';
import { readEnvironment } from '../../dev/environment.ts';
import { configuredManagementUrl } from '../../dev/services/configured.ts';
import { failureMessage } from '../../dev/stop-signals.ts';
import type { Reading } from '../../src/cli/cluster/reading.ts';
import { ask } from '../../src/cli/cluster/reading.ts';
import type { Activity } from './activity.ts';
import { ActivityReader } from './activity.ts';
import { compareHoldings, renderHoldings } from './holdings.ts';
import type { BrokerConnections } from './management.ts';
import { findBrokerConnections, vhostOf } from './management.ts';
import { readSettings } from './maxima.ts';

const DEADLINE_MS = 10_000;

async function main(): Promise<number> {
  readCommandLine({
    name: 'npm run bench:connections',
    about:
      'Shows who holds which connections to Postgres and RabbitMQ, against what the settings allow. DATABASE_URL and RABBITMQ_MANAGEMENT_URL (or AMQP_URL) say where.',
    flags: {},
  });
  const environment = readEnvironment();
  const settings = readSettings(environment.inherited);
  const [activity, broker] = await Promise.all([
    askPostgres(environment.databaseUrl),
    askRabbitmq(configuredManagementUrl(environment), vhostOf(environment.amqpUrl)),
  ]);
  for (const [name, reading] of Object.entries({ Postgres: activity, RabbitMQ: broker }))
    if (!reading.ok) process.stderr.write(`${name} is unknown: ${reading.reason}\n`);
  if (!activity.ok && !broker.ok) return 2;
  const sources = {
    activity: activity.ok ? activity.value : undefined,
    broker: broker.ok ? broker.value : undefined,
  };
  const holdings = compareHoldings({ ...sources, settings });
  process.stdout.write(`${renderHoldings(holdings, sources)}\n`);
  for (const excess of holdings.exceeded) process.stdout.write(`EXCEEDED: ${excess}\n`);
  return holdings.exceeded.length > 0 ? 1 : 0;
}

async function askPostgres(databaseUrl: string | undefined): Promise<Reading<Activity>> {
  if (databaseUrl === undefined) return { ok: false, reason: 'DATABASE_URL is not set' };
  const reader = new ActivityReader(databaseUrl);
  try {
    return await ask(() => reader.read(), { deadlineMs: DEADLINE_MS });
  } finally {
    await reader.stop();
  }
}

async function askRabbitmq(
  managementUrl: string | undefined,
  vhost: string,
): Promise<Reading<BrokerConnections[]>> {
  if (managementUrl === undefined || managementUrl === 'none')
    return { ok: false, reason: 'neither RABBITMQ_MANAGEMENT_URL nor AMQP_URL is set' };
  return await ask((signal) => findBrokerConnections({ managementUrl, vhost, signal }), {
    deadlineMs: DEADLINE_MS,
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${failureMessage(error)}\n`);
  process.exitCode = 2;
}
