/**
 * Job types as the outside sees them, and their routes.
 */
import { z } from '@hono/zod-openapi';
import { defineRoute } from '../access/route-access.ts';
import { problems } from './problem.ts';

const typeSchema = z
  .object({
    type: z.string(),
    queue: z.string().openapi({ description: 'where its jobs go if nothing else is said' }),
    paused: z.boolean(),
  })
  .openapi('JobType');

const params = z.object({
  type: z.string().openapi({ param: { name: 'type', in: 'path' }, example: 'deliver-webhook' }),
});
const pausedType = {
  'application/json': { schema: z.object({ type: z.string(), paused: z.boolean() }) },
};
const tags = ['queues'];

export const typesRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/types',
  tags,
  summary: 'Every job type that a program has told of',
  responses: {
    200: {
      description: 'those of all applications on the database, by name',
      content: { 'application/json': { schema: z.object({ types: z.array(typeSchema) }) } },
    },
    ...problems(503),
  },
});

export const pauseTypeRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/types/{type}/pause',
  tags,
  summary: 'Pause a job type',
  description:
    'It goes on taking jobs and starts none, in whichever queue. Running jobs run to their end, and the other types go on.',
  request: { params },
  responses: { 200: { description: 'paused', content: pausedType }, ...problems(404, 503) },
});

export const resumeTypeRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/types/{type}/resume',
  tags,
  summary: 'Let a paused job type run again',
  request: { params },
  responses: { 200: { description: 'not paused', content: pausedType }, ...problems(404, 503) },
});
