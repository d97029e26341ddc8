// RabbitMQ's management API as far as connections go: who is connected, over how many channels, with how many consumers.

import { ManagementClient } from '../../test/support/management-client.ts';

const DEADLINE_MS = 10_000;

export interface BrokerConnections {
  /** The name that the client gave its connection, or its address. */
  name: string;
  connections: number;
  channels: number;
  consumers: number;
}

/** Counts of one vhost by connection name, sorted by it. Throws where the API does not answer. */
export async function findBrokerConnections({
  managementUrl,
  vhost,
  signal = AbortSignal.timeout(DEADLINE_MS),
}: {
  managementUrl: string;
  vhost: string;
  signal?: AbortSignal;
}): Promise<BrokerConnections[]> {
  const inVhost = `/vhosts/${encodeURIComponent(vhost)}`;
  const get = async <Row>(path: string) =>
    listRows<Row>({ managementUrl, vhost }, `${inVhost}${path}`, signal);
  const [connections, channels] = await Promise.all([
    get<ConnectionRow>('/connections?columns=name,user_provided_name,channels'),
    get<ChannelRow>('/channels?columns=connection_details.name,consumer_count'),
  ]);
  const byName = new Map<string, BrokerConnections>();
  for (const { name: address, user_provided_name: given, channels: own = 0 } of connections) {
    const name = given ?? address;
    const entry = byName.get(name) ?? { name, connections: 0, channels: 0, consumers: 0 };
    entry.connections += 1;
    entry.channels += own;
    for (const { connection_details: details, consumer_count: consumers = 0 } of channels)
      if (details?.name === address) entry.consumers += consumers;
    byName.set(name, entry);
  }
  return [...byName.values()].toSorted((one, other) => one.name.localeCompare(other.name));
}

interface ConnectionRow {
  name: string;
  user_provided_name?: string;
  channels?: number;
}

interface ChannelRow {
  connection_details?: { name?: string };
  consumer_count?: number;
}

/** What the management API lists at a path. Throws where there is nothing of the kind. */
async function listRows<Row>(
  { managementUrl, vhost }: { managementUrl: string; vhost: string },
  path: string,
  signal: AbortSignal,
): Promise<Row[]> {
  const management = new ManagementClient({ managementUrl, vhost });
  const rows = await management.request<Row[]>('GET', path, undefined, signal);
  if (rows === undefined) throw new Error(`RabbitMQ has no vhost "${vhost}"`);
  return rows;
}

/** The vhost of an AMQP URL; `/` where it names none. */
export function vhostOf(amqpUrl: string | undefined): string {
  const path = URL.parse(amqpUrl ?? '')?.pathname.slice(1) ?? '';
  return path === '' ? '/' : decodeURIComponent(path);
}
