/**
 * What `warren doctor` looks at in RabbitMQ: over AMQP, whether it is there and has our queues; over its management API, where there is one, its alarms, nodes, bindings
 * and policies. Declares nothing.
 */
import type { ChannelModel } from 'amqplib';
import { connect } from 'amqplib';
import { nodeUrls } from '../base/amqp-url.ts';
import { resolvedWithin, withDeadline } from '../base/backoff.ts';
import { brokerQueue, DEAD_EXCHANGE, DEAD_QUEUE, EXCHANGE } from './topology.ts';

export interface BrokerFacts {
  /** Why nobody answers over AMQP; undefined where it does. */
  problem: string | undefined;
  missingQueues: string[];
  deadLetters: number | null;
  /** Undefined where it was not asked. */
  management: ManagementFacts | { problem: string } | undefined;
}

export interface ManagementFacts {
  alarms: string[];
  stoppedNodes: string[];
  partitions: string[];
  queues: {
    name: string;
    type: string;
    isDurable: boolean;
    deadLetterExchange: string | null;
    losing: string[];
  }[];
  /** Names of our queues that the exchange does not reach. */
  unbound: string[];
}

export interface BrokerOptions {
  amqpUrl: string;
  managementUrl: string | undefined;
  queues: readonly string[];
}

const DEADLINE_MS = 5_000;
/** What one node may take for all questions. */
const ANSWERS_MS = 10_000;
const CLOSE_MS = 1_000;
const HEARTBEAT_S = 5;
/** By a policy or an argument, these take messages away that nobody has worked off. */
const LOSING = ['message-ttl', 'max-length', 'max-length-bytes', 'expires', 'delivery-limit'];

export async function readBrokerFacts({
  amqpUrl,
  managementUrl,
  queues,
}: BrokerOptions): Promise<BrokerFacts> {
  const [amqp, management] = await Promise.all([
    askOverAmqp(amqpUrl, queues),
    managementUrl === undefined ? undefined : askManagement(managementUrl, { amqpUrl, queues }),
  ]);
  return { ...amqp, management };
}

async function askOverAmqp(
  amqpUrl: string,
  queues: readonly string[],
): Promise<Omit<BrokerFacts, 'management'>> {
  let problem = 'AMQP_URL names no node';
  for (const url of nodeUrls(amqpUrl)) {
    try {
      return { problem: undefined, ...(await askNode(url, queues)) };
    } catch (error) {
      const { host } = new URL(url);
      problem = `${host}: ${(error as Error).message}`;
    }
  }
  return { problem, missingQueues: [], deadLetters: null };
}

/** Throws where it does not answer in time. */
async function askNode(
  url: string,
  queues: readonly string[],
): Promise<Pick<BrokerFacts, 'missingQueues' | 'deadLetters'>> {
  const watched = new URL(url);
  watched.searchParams.set('heartbeat', String(HEARTBEAT_S)); // a connection to a node that has fallen silent ends by that
  const model = await connect(watched.href, {
    timeout: DEADLINE_MS,
    clientProperties: { connection_name: 'warren-doctor' },
  });
  model.on('error', () => {}); // the question that failed tells
  const asking = (async () => {
    const missingQueues: string[] = [];
    for (const queue of queues)
      if ((await countMessages(model, brokerQueue(queue))) === undefined) missingQueues.push(queue);
    return { missingQueues, deadLetters: (await countMessages(model, DEAD_QUEUE)) ?? null };
  })();
  try {
    return await withDeadline(
      asking,
      ANSWERS_MS,
      () => new Error(`no answer within ${ANSWERS_MS / 1_000} s`),
    );
  } finally {
    const closing = model.close().catch(() => {}); // it was lost, which has been told
    await resolvedWithin(closing, CLOSE_MS);
  }
}

/** Undefined where there is no such queue: the broker closes the channel that has asked. */
async function countMessages(model: ChannelModel, queue: string): Promise<number | undefined> {
  const channel = await model.createChannel();
  channel.on('error', () => {}); // as above
  try {
    const { messageCount } = await channel.checkQueue(queue);
    await channel.close();
    return messageCount;
  } catch (error) {
    if ((error as { code?: number }).code === 404) return undefined;
    throw error;
  }
}

interface ManagedQueue {
  name: string;
  type?: string;
  durable: boolean;
  arguments: Record<string, unknown>;
  effective_policy_definition?: Record<string, unknown>;
}

interface ManagedNode {
  name: string;
  running: boolean;
  mem_alarm?: boolean;
  disk_free_alarm?: boolean;
  partitions?: string[];
}

async function askManagement(
  managementUrl: string,
  { amqpUrl, queues }: Pick<BrokerOptions, 'amqpUrl' | 'queues'>,
): Promise<ManagementFacts | { problem: string }> {
  const { username, password, origin, pathname } = new URL(managementUrl);
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const headers = { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
  const [node = amqpUrl] = nodeUrls(amqpUrl);
  const vhost = encodeURIComponent(decodeURIComponent(new URL(node).pathname.slice(1)) || '/');
  const get = async <T>(path: string): Promise<T> => {
    const signal = AbortSignal.timeout(DEADLINE_MS);
    const response = await fetch(`${origin}${pathname.replace(/\/$/, '')}/api${path}`, { headers, signal });
    if (!response.ok) throw new Error(`${path} was answered with ${response.status}`);
    return (await response.json()) as T;
  };
  try {
    const [nodes, managed, bindings] = await Promise.all([
      get<ManagedNode[]>('/nodes'),
      get<ManagedQueue[]>(`/queues/${vhost}`),
      get<{ source: string; destination: string; routing_key: string }[]>(`/bindings/${vhost}`),
    ]);
    const ours = managed.filter(
      ({ name }) => name === DEAD_QUEUE || queues.some((queue) => name === brokerQueue(queue)),
    );
    const isReached = (name: string) =>
      bindings.some(
        ({ source, destination }) =>
          destination === name && source === (name === DEAD_QUEUE ? DEAD_EXCHANGE : EXCHANGE),
      );
    return {
      alarms: nodes.flatMap(({ name, mem_alarm: memory, disk_free_alarm: disk }) => [
        ...(memory ? [`memory of ${name}`] : []),
        ...(disk ? [`disk of ${name}`] : []),
      ]),
      stoppedNodes: nodes.filter(({ running }) => !running).map(({ name }) => name),
      partitions: nodes.filter(({ partitions = [] }) => partitions.length > 0).map(({ name }) => name),
      queues: ours.map(toQueueFacts),
      unbound: ours.map(({ name }) => name).filter((name) => !isReached(name)),
    };
  } catch (error) {
    const { message, cause } = error as Error;
    return { problem: cause instanceof Error ? cause.message : message };
  }
}

function toQueueFacts({
  name,
  type,
  durable,
  arguments: given,
  effective_policy_definition: policy,
}: ManagedQueue) {
  const deadLetterExchange = given['x-dead-letter-exchange'] ?? policy?.['dead-letter-exchange'] ?? null;
  return {
    name,
    type: type ?? 'classic',
    isDurable: durable,
    deadLetterExchange: deadLetterExchange === null ? null : `${deadLetterExchange}`,
    losing: LOSING.filter(
      (key) => policy?.[key] !== undefined || (key !== 'delivery-limit' && given[`x-${key}`] !== undefined),
    ),
  };
}
