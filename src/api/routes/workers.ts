/**
 * The workers for people: who is there, and that one ends.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Workers } from '#queue/workers.ts';
import { drainWorkerRoute, workersRoute } from '../contract/worker.ts';

export interface WorkerDependencies {
  workers: Workers;
}

export function registerWorkers(app: OpenAPIHono, { workers }: WorkerDependencies): void {
  app.openapi(workersRoute, async (c) => {
    const shown = (await workers.list()).map(({ startedAt, beatAt, ...worker }) => ({
      ...worker,
      startedAt: startedAt.toISOString(),
      beatAt: beatAt.toISOString(),
    }));
    return c.json({ workers: shown }, 200);
  });

  app.openapi(drainWorkerRoute, async (c) => {
    const { id } = c.req.valid('param');
    await workers.drain(id);
    return c.json({ id, state: 'draining' as const }, 200);
  });
}
