// What a queue holds, asked of the broker itself: the panel's numbers lag behind by a second or more.
import amqplib from 'amqplib';
import type { Scene } from './scene.ts';

/** Zero and zero where there is no such queue. */
export async function queueDepth(
  { stage }: Scene,
  queue: string,
): Promise<{ ready: number; consumers: number }> {
  const connection = await amqplib.connect(stage.amqpUrl);
  try {
    const channel = await connection.createChannel();
    channel.on('error', () => {}); // the queue may not be there: the question rejects
    const { messageCount, consumerCount } = await channel.checkQueue(queue);
    return { ready: messageCount, consumers: consumerCount };
  } catch {
    return { ready: 0, consumers: 0 };
  } finally {
    await connection.close();
  }
}

export async function readyMessages(scene: Scene, queue: string): Promise<number> {
  return (await queueDepth(scene, queue)).ready;
}
