/**
 * Exchanges, queues and bindings, the same on RabbitMQ 3.10 and 4.x. Declaring them again changes nothing.
 *
 * A quorum queue goes on when a node of the cluster is lost, and writes every message to its log before it delivers it. A classic queue delivers at
 * once, and lives on one node: what it loses with that, the rows in Postgres still have. `x-delivery-limit`, which only quorum queues know, is high,
 * not absent: 4.x would otherwise drop a message at its 21st return, and with a limit a returned message keeps its place; -1 dead-letters at once on
 * 3.10. The limit that counts is the job's `maxAttempts`, in Postgres.
 */
import type { Channel, ChannelModel } from 'amqplib';
import { Misconfigured } from '../base/errors.ts';

export const EXCHANGE = 'warren';
export const DEAD_EXCHANGE = 'warren.dead';
export const DEAD_QUEUE = 'warren.dead';

const DELIVERY_LIMIT = 100_000;

/** Of the queues that jobs wait in. The dead letters are kept in a quorum queue in any case. */
export type QueueType = 'quorum' | 'classic';

const QUORUM = { 'x-queue-type': 'quorum', 'x-delivery-limit': DELIVERY_LIMIT };
const TYPE_ARGUMENTS: Readonly<Record<QueueType, object>> = {
  quorum: QUORUM,
  classic: { 'x-queue-type': 'classic' },
};

export function brokerQueue(queue: string): string {
  return `warren.${queue}`;
}

/** Declares the exchanges, the dead-letter queue and these queues. Throws `Misconfigured` where one exists with other arguments. */
export async function declareTopology(
  channel: Channel,
  queues: readonly string[],
  queueType: QueueType = 'quorum',
): Promise<void> {
  try {
    await channel.assertExchange(EXCHANGE, 'direct', { durable: true });
    await channel.assertExchange(DEAD_EXCHANGE, 'fanout', { durable: true });
    await channel.assertQueue(DEAD_QUEUE, { durable: true, arguments: QUORUM });
    await channel.bindQueue(DEAD_QUEUE, DEAD_EXCHANGE, '');
    for (const queue of queues) {
      await channel.assertQueue(brokerQueue(queue), {
        durable: true,
        arguments: { ...TYPE_ARGUMENTS[queueType], 'x-dead-letter-exchange': DEAD_EXCHANGE },
      });
      await channel.bindQueue(brokerQueue(queue), EXCHANGE, queue);
    }
  } catch (error) {
    throw asMisconfigured(error) ?? error;
  }
}

/** The same, on a channel of its own. */
export async function prepareTopology(
  model: ChannelModel,
  queues: readonly string[],
  queueType?: QueueType,
): Promise<void> {
  const channel = await model.createChannel();
  channel.on('error', () => {}); // the declaration that failed rejects
  await declareTopology(channel, queues, queueType);
  await channel.close();
}

const PRECONDITION_FAILED = 406;

/** RabbitMQ names the queue, the argument and both values in its text. */
function asMisconfigured(error: unknown): Misconfigured | undefined {
  if ((error as { code?: unknown }).code !== PRECONDITION_FAILED) return undefined;
  return new Misconfigured(
    `RabbitMQ holds a queue or an exchange of ours with other properties: ${(error as Error).message}. ` +
      'Drain and delete it in the admin panel, or use another vhost; Warren declares it anew.',
  );
}
