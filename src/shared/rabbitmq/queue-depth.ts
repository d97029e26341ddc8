/**
 * How many messages wait in a queue and how many consumers it has, asked by a passive declare.
 *
 * The channel is opened for the question and closed after it, so that the panel shows the publisher's channels alone. Never throws: what
 * the broker does not tell in time is left out. AMQP tells nothing of unacknowledged messages.
 */
import type { Channel, ChannelModel } from 'amqplib';
import { withDeadline } from '../base/backoff.ts';
import { Unavailable } from '../base/errors.ts';
import type { BrokerConnection } from './connection.ts';
import { brokerQueue } from './topology.ts';

const DEADLINE_MS = 1_000;

/** The queue of the dead letters among the others, by its name without the prefix. */
export const DEAD_LETTERS = 'dead';

export interface QueueDepth {
  /** Messages that no consumer has yet. */
  ready: number;
  consumers: number;
}

/** The depths by queue name. A queue that does not exist, or whose answer is late, is left out. */
export async function findQueueDepths(
  model: ChannelModel,
  queues: readonly string[],
): Promise<Map<string, QueueDepth>> {
  const depths = new Map<string, QueueDepth>();
  const asking = askAll(model, queues, depths);
  await withDeadline(asking, DEADLINE_MS, late).catch(() => {}); // what is known by then is what there is to tell
  return new Map(depths);
}

/** The same over a connection as it is now. Undefined where it is lost, or blocked: that one would not even hear the question. */
export async function findDepthsNow(
  { model, blocked }: Pick<BrokerConnection, 'model' | 'blocked'>,
  queues: readonly string[],
): Promise<Map<string, QueueDepth> | undefined> {
  return model === undefined || blocked ? undefined : await findQueueDepths(model, queues);
}

async function askAll(model: ChannelModel, queues: readonly string[], depths: Map<string, QueueDepth>) {
  let channel: Channel | undefined;
  for (const queue of queues) {
    channel ??= await open(model);
    try {
      const { messageCount, consumerCount } = await channel.checkQueue(brokerQueue(queue));
      depths.set(queue, { ready: messageCount, consumers: consumerCount });
    } catch {
      channel = undefined; // the broker closes a channel that asks for a queue that is not there
    }
  }
  await channel?.close();
}

async function open(model: ChannelModel): Promise<Channel> {
  const channel = await model.createChannel();
  channel.on('error', () => {}); // the question that failed tells; without a listener the connection would go too
  return channel;
}

function late(): Unavailable {
  return new Unavailable(
    'broker_timeout',
    `RabbitMQ did not tell its queues' depths within ${DEADLINE_MS} ms`,
  );
}
