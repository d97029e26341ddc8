/**
 * What people do to a job that exists: cancel it, run it again.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Control } from '#queue/control.ts';
import type { JobDefinition } from '#shared/job/job.ts';
import { cancelRoute, retryRoute } from '../contract/job.ts';
import { createJobPresenter } from '../job-presentation.ts';

export interface JobControlDependencies {
  control: Control;
  definitions: ReadonlyMap<string, JobDefinition>;
}

export function registerJobControl(app: OpenAPIHono, { control, definitions }: JobControlDependencies): void {
  const presenter = createJobPresenter(definitions);
  app.openapi(cancelRoute, async (c) => {
    const job = await control.cancel(c.req.valid('param').id);
    return c.json({ job: presenter.present(job) }, 200);
  });

  app.openapi(retryRoute, async (c) => {
    const job = await control.retry(c.req.valid('param').id);
    return c.json({ job: presenter.present(job) }, 200);
  });
}
