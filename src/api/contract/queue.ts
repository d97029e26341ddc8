/**
 * Queues as the outside sees them, and their routes.
 */
import { z } from '@hono/zod-openapi';
import { jobStates } from '#shared/job/transitions.ts';
import { defineRoute } from '../access/route-access.ts';
import { problems } from './problem.ts';

const count = z.int().min(0);

export const queueSchema = z
  .object({
    name: z.string(),
    paused: z.boolean(),
    ready: count.nullable().openapi({
      description:
        'jobs that no worker has claimed yet, whether or not a worker has their message; null while the broker does not tell of the queue',
    }),
    unacked: count.nullable().openapi({
      description: 'jobs that a worker has claimed. Null with `ready`',
    }),
    consumers: count.nullable().openapi({ description: 'null with `ready`' }),
    counts: z.record(z.enum(jobStates), count).openapi({ description: 'jobs in Postgres, by state' }),
    oldestAvailableSeconds: z
      .number()
      .nullable()
      .openapi({ description: 'since the oldest available job was due; null where none is' }),
    unknownTypes: z
      .array(z.object({ type: z.string(), jobs: count, since: z.iso.datetime() }))
      .openapi({ description: 'waiting jobs of types that no living worker has known for ten minutes' }),
  })
  .openapi('Queue');

const params = z.object({
  name: z.string().openapi({ param: { name: 'name', in: 'path' }, example: 'default' }),
});
const pausedQueue = {
  'application/json': { schema: z.object({ name: z.string(), paused: z.boolean() }) },
};
const tags = ['queues'];

export const queuesRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/queues',
  tags,
  summary: 'Every queue: what waits, what runs, who consumes',
  responses: {
    200: {
      description: 'every queue; the counts are up to a second old',
      content: { 'application/json': { schema: z.object({ queues: z.array(queueSchema) }) } },
    },
    ...problems(503),
  },
});

export const pauseRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/queues/{name}/pause',
  tags,
  summary: 'Pause a queue',
  description: 'It goes on taking jobs and starts none. Running jobs run to their end.',
  request: { params },
  responses: { 200: { description: 'paused', content: pausedQueue }, ...problems(404, 503) },
});

export const resumeRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/queues/{name}/resume',
  tags,
  summary: 'Let a paused queue run again',
  request: { params },
  responses: { 200: { description: 'not paused', content: pausedQueue }, ...problems(404, 503) },
});
