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

/** How many ids stand in the messages that wait. They are looked at and given back: the broker delivers them as redelivered afterwards. */
export async function readyJobs({ stage }: Scene, queue: string): Promise<number> {
  const connection = await amqplib.connect(stage.amqpUrl);
  try {
    const channel = await connection.createChannel();
    let jobs = 0;
    for (;;) {
      const message = await channel.get(queue);
      if (message === false) return jobs;
      jobs += message.content.toString('latin1').split(' ').length;
    }
  } finally {
    await connection.close(); // gives them back
  }
}

export async function readyMessages(scene: Scene, queue: string): Promise<number> {
  return (await queueDepth(scene, queue)).ready;
}
