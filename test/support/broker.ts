// RabbitMQ as somebody from outside uses it: what only a broken or a foreign program would publish, and what the queues hold.
import type { Channel, GetMessage } from 'amqplib';
import amqplib from 'amqplib';
import { eventually } from './eventually.ts';
import type { ConnectionInfo } from './management-client.ts';
import type { TestVhost } from './servers.ts';

/** Runs `work` on a channel of its own. */
export async function onChannel<T>(vhost: TestVhost, work: (channel: Channel) => Promise<T>): Promise<T> {
  const connection = await amqplib.connect(vhost.url);
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => {}); // the call that failed rejects
    const result = await work(channel);
    await channel.close();
    return result;
  } finally {
    await connection.close();
  }
}

/** Has `publish` write on a channel of its own and waits until the broker has it all: a queue that was declared just now may lose what nobody waits for. */
export async function publishConfirmed(
  vhost: TestVhost,
  publish: (channel: Channel) => Promise<void>,
): Promise<void> {
  const connection = await amqplib.connect(vhost.url);
  try {
    const channel = await connection.createConfirmChannel();
    await publish(channel);
    await channel.waitForConfirms();
    await channel.close();
  } finally {
    await connection.close();
  }
}

/** Publishes bodies to one of Warren's queues. */
export async function publishRaw(
  vhost: TestVhost,
  queue: string,
  ...bodies: readonly (string | Buffer)[]
): Promise<void> {
  await publishConfirmed(vhost, async (channel) => {
    for (const body of bodies) channel.publish('warren', queue, Buffer.from(body));
  });
}

/** How many messages wait in a queue of the broker; those that a consumer has do not count. */
export async function readyCount(vhost: TestVhost, queue: string): Promise<number> {
  return await onChannel(vhost, async (channel) => (await channel.checkQueue(queue)).messageCount);
}

/** The jobs whose ids are in the messages that wait in a queue of the broker. The messages stay there. */
export async function waitingIds(vhost: TestVhost, queue: string): Promise<string[]> {
  return await onChannel(vhost, async (channel) => {
    const ids: string[] = [];
    for (;;) {
      const message = await channel.get(queue); // unacknowledged, it goes back when the channel closes
      if (message === false) return ids;
      ids.push(...message.content.toString('latin1').split(' '));
    }
  });
}

export interface Letter {
  /** The message's own id. */
  id: string;
  body: string;
  reason: unknown;
  queue: unknown;
}

/** Takes every message that waits in a queue of the broker. */
export async function takeMessages(vhost: TestVhost, queue: string): Promise<GetMessage[]> {
  return await onChannel(vhost, async (channel) => {
    const messages: GetMessage[] = [];
    for (;;) {
      const message = await channel.get(queue, { noAck: true });
      if (message === false) return messages;
      messages.push(message);
    }
  });
}

/** Takes what has come to `warren.dead`. */
export async function takeDeadLetters(vhost: TestVhost): Promise<Letter[]> {
  return (await takeMessages(vhost, 'warren.dead')).map(
    ({ content, properties: { messageId, headers } }) => ({
      id: messageId,
      body: content.toString('latin1'),
      reason: headers?.['x-warren-reason'],
      queue: headers?.['x-warren-queue'],
    }),
  );
}

/** The open connections that carry this name. */
export async function connectionsOf(vhost: TestVhost, name: string): Promise<ConnectionInfo[]> {
  return (await vhost.management.connections()).filter(
    (connection) => connection.user_provided_name === name,
  );
}

/** Closes every connection that carries this name, from RabbitMQ's side. */
export async function closeConnections(vhost: TestVhost, name: string): Promise<void> {
  const connections = await eventually(
    () => connectionsOf(vhost, name),
    (found) => found.length > 0,
  );
  for (const connection of connections) await vhost.management.closeConnection(connection.name);
}
