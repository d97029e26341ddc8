/**
 * The queues for people: what waits, what runs and who consumes; pause and resume.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Browser, QueueOverview } from '#queue/browse.ts';
import type { Control } from '#queue/control.ts';
import { pauseRoute, queuesRoute, resumeRoute } from '../contract/queue.ts';

export interface QueueDependencies {
  browser: Browser;
  control: Control;
}

export function registerQueues(app: OpenAPIHono, { browser, control }: QueueDependencies): void {
  app.openapi(queuesRoute, async (c) => {
    const queues = await browser.queues();
    return c.json({ queues: queues.map(toJson) }, 200);
  });

  app.openapi(pauseRoute, async (c) => {
    const { name } = c.req.valid('param');
    await control.pauseQueue(name);
    return c.json({ name, paused: true }, 200);
  });

  app.openapi(resumeRoute, async (c) => {
    const { name } = c.req.valid('param');
    await control.resumeQueue(name);
    return c.json({ name, paused: false }, 200);
  });
}

function toJson({ unknownTypes, ...queue }: QueueOverview) {
  return {
    ...queue,
    unknownTypes: unknownTypes.map(({ since, ...found }) => ({ ...found, since: since.toISOString() })),
  };
}
