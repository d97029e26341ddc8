/**
 * The queues for people: what waits, what runs and who consumes; what is set for them; pause, resume, drain.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Browser, QueueOverview } from '#queue/browse.ts';
import type { QueueControl } from '#queue/queue-control.ts';
import type { BodyBudget } from '../body-budget.ts';
import { drainRoute, pauseRoute, queuesRoute, resumeRoute, setQueueRoute } from '../contract/queue.ts';
import { jsonBody } from '../request-body.ts';

/** Three numbers. */
const SETTINGS_LIMITS = { maxBytes: 1_024, maxValues: 16, maxDepth: 2 };

export interface QueueDependencies {
  browser: Browser;
  queueControl: QueueControl;
  /** What the bodies under way may hold. */
  bodies: BodyBudget;
}

export function registerQueues(app: OpenAPIHono, { browser, queueControl, bodies }: QueueDependencies): void {
  app.openapi(queuesRoute, async (c) => {
    const queues = await browser.queues();
    return c.json({ queues: queues.map(toJson) }, 200);
  });

  app.put('/v1/queues/:name', jsonBody({ budget: bodies, ...SETTINGS_LIMITS }));
  app.openapi(setQueueRoute, async (c) => {
    const { name } = c.req.valid('param');
    return c.json(await queueControl.set(name, c.req.valid('json')), 200);
  });

  app.openapi(pauseRoute, async (c) => {
    const { name } = c.req.valid('param');
    await queueControl.pause(name);
    return c.json({ name, paused: true }, 200);
  });

  app.openapi(resumeRoute, async (c) => {
    const { name } = c.req.valid('param');
    await queueControl.resume(name);
    return c.json({ name, paused: false }, 200);
  });

  app.openapi(drainRoute, async (c) => {
    const { name } = c.req.valid('param');
    return c.json({ queue: name, cancelled: await queueControl.drain(name) }, 200);
  });
}

function toJson({ unknownTypes, ...queue }: QueueOverview) {
  return {
    ...queue,
    unknownTypes: unknownTypes.map(({ since, ...found }) => ({ ...found, since: since.toISOString() })),
  };
}
