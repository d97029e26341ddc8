/**
 * The setting that says how many channels a worker has on each queue. Pure.
 */
import { z } from 'zod';
import { isName, MAX_CHANNELS, MAX_PREFETCH } from '../job/app.ts';

/** `channels` AMQP channels on a queue, each with a `prefetch`: `channels` × `prefetch` jobs at once at most. */
export interface QueueChannels {
  queue: string;
  channels: number;
  prefetch: number;
}

/** A comma list of `queue:channels:prefetch`. */
export const workerQueues = z.string().transform(parseQueues);

function parseQueues(text: string, context: z.RefinementCtx): QueueChannels[] {
  const entries = text.split(',').map((entry) => entry.trim());
  const parsed = entries.map((entry) => {
    const [queue = '', channels = '', prefetch = '', ...rest] = entry.split(':');
    const isWhole = /^[1-9]\d{0,3}$/;
    if (
      rest.length > 0 ||
      !isWhole.test(channels) ||
      !isWhole.test(prefetch) ||
      Number(channels) > MAX_CHANNELS ||
      Number(prefetch) > MAX_PREFETCH
    ) {
      context.addIssue(`"${entry}" is not queue:channels:prefetch (1 to 100 channels, prefetch 1 to 2000)`);
    }
    if (!isName(queue)) context.addIssue(`"${queue}" is no name of a queue`);
    return { queue, channels: Number(channels), prefetch: Number(prefetch) };
  });
  if (new Set(parsed.map(({ queue }) => queue)).size < parsed.length)
    context.addIssue('a queue stands twice');
  return parsed;
}
