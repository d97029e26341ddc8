/**
 * `store-message`: puts one message into Postgres. Its id is the job's, so that running it again stores nothing twice.
 */
import type { JobContext } from 'warren/app';
import { defineJob } from 'warren/app';
import { publishedMessage } from './message.ts';
import type { Messages } from './messages.ts';

export const storeMessage = defineJob({
  type: 'store-message',
  queue: 'messages',
  args: publishedMessage,
  async perform(message, { jobId, services: { messages } }: JobContext<{ messages: Messages }>) {
    await messages.store({ ...message, id: jobId });
  },
});
