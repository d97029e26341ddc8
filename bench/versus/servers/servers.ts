// The servers of a comparison: the project's own Postgres and RabbitMQ, two private Redis, and a database per contender.
// Guarantees: what was started ends with this process; nothing that was there before is touched.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import postgres from 'postgres';
import { killRecorded, ProcessRecord } from '../../../dev/process-record.ts';
import type { Services } from '../../../dev/services.ts';
import { startServices } from '../../../dev/services.ts';
import { migrate } from '../../../src/shared/postgres/migrate/migrate.ts';
import { seedOrders } from '../../../src/shared/postgres/orders.ts';
import { ManagementClient } from '../../../test/support/management-client.ts';
import type { Contender, Places } from '../contender.ts';
import { RedisServer } from './redis.ts';

export const root = resolve(import.meta.dirname, '../../..');
export const folder = join(root, '.services/versus');
const redisRecord = join(folder, 'redis-processes.json');

export interface VersusServers {
  services: Services;
  redis: { everysec: RedisServer; always: RedisServer };
  /** With a database of its own, migrated, and the orders in it. */
  placesOf(contender: Contender): Promise<Places>;
  stop(): Promise<void>;
}

export async function startVersusServers(log: (line: string) => void): Promise<VersusServers> {
  mkdirSync(folder, { recursive: true });
  const services = await startServices({ folder, keepData: false, log });
  const record = await ProcessRecord.claim({ file: redisRecord, log });
  process.once('exit', () => {
    services.kill();
    killRecorded(redisRecord);
  });
  const start = (appendfsync: 'everysec' | 'always') =>
    RedisServer.start({ appendfsync, folder: join(folder, `redis-${appendfsync}`), record, log });
  const redis = { everysec: await start('everysec'), always: await start('always') };
  return {
    services,
    redis,
    placesOf: (contender) => createPlaces(contender, services, redis),
    stop: async () => {
      await Promise.all([redis.everysec.stop(), redis.always.stop()]);
      record.release();
      await services.stop();
    },
  };
}

async function createPlaces(
  contender: Contender,
  services: Services,
  redis: VersusServers['redis'],
): Promise<Places> {
  const name = `versus_${contender.name.replaceAll('-', '_')}`;
  const databaseUrl = await createDatabase(services.databaseUrl, name);
  const places = {
    databaseUrl,
    amqpUrl: contender.servers.includes('rabbitmq') ? await createVhost(services, name) : 'none',
    redisUrl: contender.appendfsync === undefined ? 'none' : redis[contender.appendfsync].url,
  };
  await contender.prepare(places);
  return places;
}

async function createDatabase(adminUrl: string, name: string): Promise<string> {
  const sql = postgres(adminUrl, { max: 1, onnotice: () => {} });
  try {
    await sql`drop database if exists ${sql(name)} with (force)`;
    await sql`create database ${sql(name)}`;
  } finally {
    await sql.end({ timeout: 2 });
  }
  const url = new URL(adminUrl);
  url.pathname = `/${name}`;
  await migrate({ databaseUrl: url.href });
  await seedOrders({ databaseUrl: url.href });
  return url.href;
}

async function createVhost({ amqpUrl, managementUrl }: Services, name: string): Promise<string> {
  if (amqpUrl === 'none') return 'none';
  const url = new URL(amqpUrl);
  const management = new ManagementClient({ managementUrl, vhost: name });
  await management.deleteVhost().catch(() => {}); // there was none
  await management.createVhost({ user: decodeURIComponent(url.username) });
  url.pathname = `/${name}`;
  return url.href;
}
