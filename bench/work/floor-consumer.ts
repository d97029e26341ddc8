// The raw floor, a program of its own: amqplib that takes messages and acknowledges them, at the prefetch that it is told, and nothing else.
// What a worker in Node could do at best if jobs, claims and records cost nothing. It ends when its parent does.
import { connect } from 'amqplib';
import { monotonicMs } from '../stage/monotonic.ts';

export interface FloorRun {
  amqpUrl: string;
  /** As RabbitMQ knows it. */
  queue: string;
  channels: number;
  prefetch: number;
  messages: number;
}

process.on('message', (run: FloorRun) => {
  void consume(run).then((seconds) => process.send?.(seconds));
});
process.on('disconnect', () => process.exit(0));

/** Seconds from the first delivery to the last acknowledgement. */
async function consume({ amqpUrl, queue, channels, prefetch, messages }: FloorRun): Promise<number> {
  const model = await connect(amqpUrl, { timeout: 5_000, noDelay: true });
  const { promise: ended, resolve } = Promise.withResolvers<number>();
  let startedAt = 0;
  let left = messages;
  for (let number = 0; number < channels; number += 1) {
    const channel = await model.createChannel();
    await channel.prefetch(prefetch);
    await channel.consume(queue, (message) => {
      if (message === null) return;
      if (startedAt === 0) startedAt = monotonicMs();
      channel.ack(message);
      left -= 1;
      if (left === 0) resolve((monotonicMs() - startedAt) / 1_000);
    });
  }
  const seconds = await ended;
  await new Promise((done) => setTimeout(done, 250)); // RabbitMQ loses acknowledgements that it has buffered when the channel closes
  await model.close();
  return seconds;
}
