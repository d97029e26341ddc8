/**
 * What can be done to a job that exists, as routes.
 */
import { z } from '@hono/zod-openapi';
import { changesSchema, instantSchema } from '#queue/enqueue-options.ts';
import { isName } from '#shared/job/app.ts';
import { defineRoute } from '../access/route-access.ts';
import { jobParams, oneJob } from './job.ts';
import { problems } from './problem.ts';

const tags = ['jobs'];
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });
const args = z.unknown().openapi({ description: "by the schema of the job's type; all of them" });

export const changesBody = changesSchema
  .extend({
    runAt: instantSchema.optional().openapi({
      type: 'string',
      format: 'date-time',
      description: 'one that has come lets the job run now',
    }),
    queue: z
      .string()
      .refine(isName, 'is no name of a queue: [a-z0-9_-]{1,60}')
      .optional()
      .openapi({ description: 'moves the job there' }),
    args: args.optional(),
  })
  .openapi('JobChanges');

/** What most acts are: a POST without a body. */
const act = { 'x-role': 'operator', 'x-audited': true, method: 'post', tags } as const;

export const cancelRoute = defineRoute({
  ...act,
  path: '/v1/jobs/{id}/cancel',
  summary: 'Cancel a job that has not ended',
  description:
    "A running job's handler is told to stop, and the answer waits for it for a second: the state that comes back may still be `running`.",
  request: { params: jobParams },
  responses: { 200: { description: 'the job as it is now', content: oneJob }, ...problems(404, 409, 503) },
});

export const retryRoute = defineRoute({
  ...act,
  path: '/v1/jobs/{id}/retry',
  summary: 'Run a retryable, discarded or cancelled job now',
  description: 'With a body: with these arguments instead of its own.',
  request: {
    params: jobParams,
    body: { content: json(z.strictObject({ args: args.optional() })), required: false },
  },
  responses: {
    200: { description: 'the job, available', content: oneJob },
    ...problems(400, 404, 409, 413, 415, 422, 503),
  },
});

export const runRoute = defineRoute({
  ...act,
  path: '/v1/jobs/{id}/run',
  summary: 'Run a job now that waits for its time',
  description:
    'It is `scheduled` or `retryable`. A job with a limit, a group or an ordering key comes to these gates, and may be `held`.',
  request: { params: jobParams },
  responses: { 200: { description: 'the job, available', content: oneJob }, ...problems(404, 409, 503) },
});

export const editRoute = defineRoute({
  ...act,
  method: 'patch',
  path: '/v1/jobs/{id}',
  summary: 'Change a job that waits',
  description: 'All of the changes or none. A job that gets another queue comes to the gates of that one.',
  request: { params: jobParams, body: { content: json(changesBody), required: true } },
  responses: {
    200: { description: 'the job as it is now', content: oneJob },
    ...problems(400, 404, 409, 413, 415, 422, 503),
  },
});

export const deleteRoute = defineRoute({
  ...act,
  method: 'delete',
  path: '/v1/jobs/{id}',
  summary: 'Delete a job that does not run',
  request: { params: jobParams },
  responses: { 200: { description: 'the job as it was', content: oneJob }, ...problems(404, 409, 503) },
});
