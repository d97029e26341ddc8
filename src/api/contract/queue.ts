/**
 * Queues as the outside sees them, and their routes.
 */
import { z } from '@hono/zod-openapi';
import { MAX_CHANNELS, MAX_PREFETCH } from '#shared/job/app.ts';
import { jobStates } from '#shared/job/transitions.ts';
import { defineRoute } from '../access/route-access.ts';
import { problems } from './problem.ts';

const count = z.int().min(0);
/** The migration has the same. */
const MAX_DEPTH = 1_000_000;

const settings = {
  channels: z
    .int()
    .min(1)
    .max(MAX_CHANNELS)
    .nullable()
    .openapi({ description: 'AMQP channels of each worker on the queue; null: as its WORKER_QUEUES says' }),
  prefetch: z
    .int()
    .min(1)
    .max(MAX_PREFETCH)
    .nullable()
    .openapi({ description: 'jobs that each channel may have at once; null: as WORKER_QUEUES says' }),
  maxDepth: z
    .int()
    .min(1)
    .max(MAX_DEPTH)
    .nullable()
    .openapi({ description: 'jobs that may wait here: more are refused with 429; null: any number' }),
};

export const queueSchema = z
  .object({
    name: z.string(),
    paused: z.boolean(),
    ...settings,
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

export const setQueueRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'put',
  path: '/v1/queues/{name}',
  tags,
  summary: 'Set the channels, the prefetch and the depth of a queue, in every worker that serves it',
  description:
    'A member that is absent stays as it is set; null goes back to what the programs have. The workers follow at once; channels that are too many do what they have, and close.',
  request: {
    params,
    body: {
      required: true,
      content: { 'application/json': { schema: z.strictObject(settings).partial() } },
    },
  },
  responses: {
    200: {
      description: 'what is set now',
      content: {
        'application/json': {
          schema: z.object({ name: z.string(), paused: z.boolean(), ...settings }).openapi('QueueSettings'),
        },
      },
    },
    ...problems(400, 404, 413, 415, 422, 503),
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

export const drainRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/queues/{name}/drain',
  tags,
  summary: 'Cancel everything that waits in a queue',
  description:
    'Jobs that could run, have a time to come, are held or are to be retried are cancelled. Running jobs are left, and so are jobs that are enqueued while it goes on. It answers within half a minute, with what it has done by then: repeat it until it has cancelled none.',
  request: { params },
  responses: {
    200: {
      description: 'drained',
      content: { 'application/json': { schema: z.object({ queue: z.string(), cancelled: count }) } },
    },
    ...problems(404, 503),
  },
});
