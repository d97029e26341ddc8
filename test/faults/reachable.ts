// A row begins on servers that are whole: what the row before has left stopped is started again.
import type { FaultServers } from './stage/servers.ts';

export async function checkReachable(servers: FaultServers): Promise<void> {
  if (!servers.postgres.running) await servers.postgres.start();
  if (!servers.rabbitmq.running) await servers.rabbitmq.start();
  await Promise.all([servers.postgresReady(), servers.rabbitmqReady()]);
}
