/**
 * What the command `warren` reads beside the settings of the programs: where the API is that it asks, and who asks. config.ts reads them; docs/settings.md
 * has them in a table of their own.
 */
import { z } from 'zod';
import { webUrl } from './web-url.ts';

export const commandSettings = {
  WARREN_URL: {
    schema: webUrl.optional(),
    meaning:
      'the API that the command asks, with the path that it is mounted at: `https://jobs.example.com/warren`. Without it the command works on `DATABASE_URL`, and on `AMQP_URL` where that is set',
  },
  WARREN_TOKEN: {
    schema: z.string().min(1).optional(),
    secret: true,
    meaning: 'the bearer token that is sent there',
  },
  RABBITMQ_MANAGEMENT_URL: {
    schema: webUrl.optional(),
    secret: true,
    meaning:
      'where `warren doctor` asks for the alarms and the queues of RabbitMQ: its management API, `http://user:password@host:15672`',
  },
} as const;
