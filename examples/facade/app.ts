/**
 * The application of the queue between the facade, which enqueues, and the messages-services, whose workers take turns at it.
 */
import type { App, JobContext } from 'warren/app';
import { defineApp, defineJob } from 'warren/app';
import { KeptMessages } from './kept-messages.ts';
import { createLogTable } from './log.ts';
import { message } from './message.ts';

/** Puts a message into the memory of the service that runs it. */
export const keepMessage = defineJob({
  type: 'keep-message',
  queue: 'messages',
  args: message,
  async perform(kept, { services: { memory } }: JobContext<{ memory: KeptMessages }>) {
    memory.add(kept);
  },
});

/** `memory`: that of the process. */
export function createApp(memory: KeptMessages): App {
  return defineApp({
    name: 'facade',
    queues: { messages: { channels: 2, prefetch: 10 } },
    jobs: [keepMessage],
    services: () => ({ memory }),
    migrate: ({ sql }) => createLogTable(sql),
  });
}

export const app = createApp(new KeptMessages());
