/**
 * Dead letters as the outside sees them, and their routes.
 */
import { z } from '@hono/zod-openapi';
import { jobStates } from '#shared/job/transitions.ts';
import { defineRoute } from '../access/route-access.ts';
import { problems } from './problem.ts';

const count = z.int().min(0);
const MAX_LISTED = 100;

export const deadLetterSchema = z
  .object({
    id: z.string().openapi({ example: '9c56cc51b374c3ba' }),
    reason: z.string().openapi({ description: 'why no worker could use it' }),
    queue: z.string().openapi({ description: 'that it came from' }),
    at: z.string().nullable().openapi({
      format: 'date-time',
      description: 'when it came, to the second; null where that is not known',
    }),
    jobs: z
      .array(z.object({ id: z.string(), state: z.enum(jobStates).nullable() }))
      .openapi({ description: 'the jobs that it is about, as they are now; null: there is no such job' }),
    body: z.string().openapi({ description: 'its beginning, as text' }),
    bodyBytes: count,
  })
  .openapi('DeadLetter');

const params = z.object({
  id: z.string().openapi({ param: { name: 'id', in: 'path' }, example: '9c56cc51b374c3ba' }),
});
const left = count.openapi({ description: 'of those that were there at the beginning: do it again' });
const sent = z.object({ sent: count, left });
const deleted = z.object({ deleted: count, left });
const tags = ['dead letters'];

export const deadLettersRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/dead-letters',
  tags,
  summary: 'Messages that no worker could use, the oldest first',
  request: { query: z.strictObject({ limit: z.coerce.number().int().min(1).max(MAX_LISTED).optional() }) },
  responses: {
    200: {
      description: 'the oldest, and how many there are',
      content: {
        'application/json': {
          schema: z.object({ total: count, deadLetters: z.array(deadLetterSchema) }),
        },
      },
    },
    ...problems(422, 503),
  },
});

export const resendDeadLettersRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/dead-letters/resend',
  tags,
  summary: 'Send all dead letters again, to the queues that they came from',
  description:
    'What no queue takes stays, and what a worker still cannot use comes back. Takes ten seconds at most.',
  responses: {
    200: { description: 'how many', content: { 'application/json': { schema: sent } } },
    ...problems(503),
  },
});

export const deleteDeadLettersRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'delete',
  path: '/v1/dead-letters',
  tags,
  summary: 'Delete all dead letters',
  description: 'No job is lost by it: jobs are in Postgres. Takes ten seconds at most.',
  responses: {
    200: { description: 'how many', content: { 'application/json': { schema: deleted } } },
    ...problems(503),
  },
});

export const resendDeadLetterRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/dead-letters/{id}/resend',
  tags,
  summary: 'Send one dead letter again',
  request: { params },
  responses: {
    200: { description: 'it is in its queue', content: { 'application/json': { schema: sent } } },
    ...problems(404, 503),
  },
});

export const deleteDeadLetterRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'delete',
  path: '/v1/dead-letters/{id}',
  tags,
  summary: 'Delete one dead letter',
  request: { params },
  responses: {
    200: { description: 'it is gone', content: { 'application/json': { schema: deleted } } },
    ...problems(404, 503),
  },
});
