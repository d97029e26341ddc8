// RabbitMQ's management API as far as connections go: who is connected, over how many channels, with how many consumers.

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
  const get = async <Row>(path: string) => getRows<Row>(managementUrl, `${inVhost}${path}`, signal);
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

async function getRows<Row>(managementUrl: string, path: string, signal: AbortSignal): Promise<Row[]> {
  const { base, headers } = parseBasicUrl(managementUrl);
  const response = await fetch(`${base}/api${path}`, { headers, signal });
  if (!response.ok) throw new Error(`RabbitMQ's management API answered ${response.status}`);
  return (await response.json()) as Row[];
}

/** `fetch` takes no URL with a user in it. */
export function parseBasicUrl(text: string): { base: string; headers: Record<string, string> } {
  const url = URL.parse(text);
  if (url === null) throw new Error('the management URL is no URL');
  const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return {
    base: `${url.origin}${url.pathname.replace(/\/+$/, '')}`,
    headers: { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` },
  };
}

/** The vhost of an AMQP URL; `/` where it names none. */
export function vhostOf(amqpUrl: string | undefined): string {
  const path = URL.parse(amqpUrl ?? '')?.pathname.slice(1) ?? '';
  return path === '' ? '/' : decodeURIComponent(path);
}
