/**
 * Workers as the outside sees them, and their routes.
 */
import { z } from '@hono/zod-openapi';
import { defineRoute } from '../access/route-access.ts';
import { problems } from './problem.ts';

const count = z.int().min(0);
const time = z.string().openapi({ format: 'date-time' });

export const workerSchema = z
  .object({
    id: z.string().openapi({ description: 'its number while it lives', example: '1290874' }),
    name: z.string().openapi({ description: 'of its connections', example: 'warren-worker@a:4711' }),
    host: z.string(),
    app: z.string().nullable().openapi({ description: 'the name of its application' }),
    version: z.string().nullable(),
    state: z.enum(['working', 'draining', 'silent']).openapi({
      description:
        '`draining`: it takes no more jobs, or was asked to; `silent`: not heard of for ten seconds',
    }),
    isLeader: z.boolean().openapi({ description: 'it does the maintenance of the fleet' }),
    lane: z.enum(['rabbitmq', 'postgres']).nullable().openapi({ description: 'where its jobs come from' }),
    slots: z.record(z.string(), count).openapi({ description: 'how many jobs it runs at once, by queue' }),
    running: count,
    jobs: z
      .array(
        z.object({ id: z.string(), type: z.string(), queue: z.string(), attempt: count, startedAt: time }),
      )
      .openapi({ description: 'what it runs, the 20 that started first' }),
    startedAt: time,
    beatAt: time.openapi({ description: 'when it was heard of last' }),
    loopDelayMs: z.number().nullable().openapi({
      description: 'how late its event loop ran a timer at most, between its last two beats',
    }),
    memoryBytes: count.nullable().openapi({ description: 'the resident memory of its process' }),
  })
  .openapi('Worker');

const tags = ['workers'];

export const workersRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/workers',
  tags,
  summary: 'Every worker that has been heard of within a minute, and what it runs',
  responses: {
    200: {
      description: 'those of all applications on the database, by name',
      content: { 'application/json': { schema: z.object({ workers: z.array(workerSchema) }) } },
    },
    ...problems(503),
  },
});

export const drainWorkerRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/workers/{id}/drain',
  tags,
  summary: 'Have a worker finish its jobs and end',
  description: 'It does what it does at SIGTERM, and exits with 0: its supervisor starts it again, or not.',
  request: {
    params: z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' }, example: '1290874' }) }),
  },
  responses: {
    200: {
      description: 'it is asked to',
      content: { 'application/json': { schema: z.object({ id: z.string(), state: z.literal('draining') }) } },
    },
    ...problems(404, 503),
  },
});
