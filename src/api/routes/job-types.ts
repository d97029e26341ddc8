/**
 * The job types for people: pause and resume.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { TypeControl } from '#queue/type-control.ts';
import { pauseTypeRoute, resumeTypeRoute, typesRoute } from '../contract/job-type.ts';

export interface TypeDependencies {
  typeControl: TypeControl;
}

export function registerTypes(app: OpenAPIHono, { typeControl }: TypeDependencies): void {
  app.openapi(typesRoute, async (c) => c.json({ types: await typeControl.list() }, 200));

  app.openapi(pauseTypeRoute, async (c) => {
    const { type } = c.req.valid('param');
    await typeControl.pause(type);
    return c.json({ type, paused: true }, 200);
  });

  app.openapi(resumeTypeRoute, async (c) => {
    const { type } = c.req.valid('param');
    await typeControl.resume(type);
    return c.json({ type, paused: false }, 200);
  });
}
