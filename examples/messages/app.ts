/**
 * The message service: whoever publishes is answered at once, a job stores the message. The program `api` is its publisher, the program `worker` its
 * consumer; they scale apart.
 */
import { defineApp } from 'warren/app';
import { createMessages, createMessagesTable } from './messages.ts';
import { registerRoutes } from './routes.ts';
import { storeMessage } from './store-message.ts';

export const app = defineApp({
  name: 'messages',
  queues: { messages: { channels: 5, prefetch: 20 } },
  jobs: [storeMessage],
  services: ({ sql }) => ({ messages: createMessages(sql) }),
  routes: registerRoutes,
  migrate: ({ sql }) => createMessagesTable(sql),
  module: import.meta.url,
});
