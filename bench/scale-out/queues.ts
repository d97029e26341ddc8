// The queues as the fleet's own API tells of them, or as RabbitMQ's management API does: what waits, what is under way, who consumes.
import { listRows } from '../connections/management.ts';

export interface QueueState {
  name: string;
  /** Null: the broker did not tell. */
  ready: number | null;
  unacked: number | null;
  consumers: number | null;
  /** Jobs completed so far; null where only RabbitMQ was asked. */
  completed: number | null;
}

/** `GET /v1/queues`. Throws for any other answer than 200. */
export async function findQueues({
  url,
  token,
  signal,
}: {
  url: URL;
  token: string | undefined;
  signal: AbortSignal;
}): Promise<QueueState[]> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(new URL('/v1/queues', url), { headers, signal });
  if (!response.ok)
    throw new Error(`${response.status} at /v1/queues: ${(await response.text()).slice(0, 100)}`);
  const { queues } = (await response.json()) as {
    queues: (QueueState & { counts: Record<string, number> })[];
  };
  return queues.map(({ name, ready, unacked, consumers, counts }) => {
    return { name, ready, unacked, consumers, completed: counts['completed'] ?? null };
  });
}

const PREFIX = 'warren.';
const DEAD = 'warren.dead';

/** The fleet's queues of one vhost, from RabbitMQ. */
export async function findBrokerQueues({
  managementUrl,
  vhost,
  signal,
}: {
  managementUrl: string;
  vhost: string;
  signal: AbortSignal;
}): Promise<QueueState[]> {
  const columns = 'name,messages_ready,messages_unacknowledged,consumers';
  const rows = await listRows<{
    name: string;
    messages_ready?: number;
    messages_unacknowledged?: number;
    consumers?: number;
  }>({ managementUrl, vhost }, `/queues/${encodeURIComponent(vhost)}?columns=${columns}`, signal);
  return rows
    .filter(({ name }) => name.startsWith(PREFIX) && name !== DEAD)
    .map(({ name, messages_ready, messages_unacknowledged, consumers }) => ({
      name: name.slice(PREFIX.length),
      ready: messages_ready ?? null,
      unacked: messages_unacknowledged ?? null,
      consumers: consumers ?? null,
      completed: null,
    }));
}

/** All queues together. A number that one queue does not tell is not known for all. */
export function totalQueues(queues: readonly QueueState[]): Omit<QueueState, 'name'> {
  const total = (key: 'ready' | 'unacked' | 'consumers' | 'completed') =>
    queues.reduce<number | null>(
      (sum, { [key]: value }) => (sum === null || value === null ? null : sum + value),
      0,
    );
  return {
    ready: total('ready'),
    unacked: total('unacked'),
    consumers: total('consumers'),
    completed: total('completed'),
  };
}
