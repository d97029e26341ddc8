/**
 * The record of who did what, as the outside sees it.
 */
import { z } from '@hono/zod-openapi';
import { instantSchema } from '#queue/enqueue-options.ts';
import { defineRoute } from '../access/route-access.ts';
import { problems } from './problem.ts';

const MAX_PAGE = 200;

const entrySchema = z
  .object({
    id: z.string(),
    at: z.string().openapi({ format: 'date-time' }),
    who: z.string().openapi({ description: 'the name of the token' }),
    role: z.string(),
    from: z.string().nullable().openapi({ description: 'the address of the connection' }),
    act: z.string().openapi({ example: 'jobs.cancel' }),
    target: z.string().nullable().openapi({ description: 'the id or name that it was done to' }),
    detail: z.record(z.string(), z.unknown()),
    outcome: z.enum(['done', 'refused', 'failed']).nullable().openapi({
      description: 'null: it is under way, or its process died meanwhile',
    }),
  })
  .openapi('AuditEntry');

const text = z.string().min(1).max(200).optional();
const time = instantSchema.optional().openapi({ type: 'string', format: 'date-time' });

export const auditRoute = defineRoute({
  'x-role': 'admin',
  method: 'get',
  path: '/v1/audit',
  tags: ['audit'],
  summary: 'Who did what, newest first',
  request: {
    query: z.strictObject({
      who: text,
      act: text.openapi({ description: '`jobs.cancel`, or all of a kind: `jobs`' }),
      target: text.openapi({ description: 'an id or a name' }),
      after: time,
      before: time,
      limit: z
        .string()
        .regex(/^\d{1,3}$/)
        .transform(Number)
        .pipe(z.number().min(1).max(MAX_PAGE))
        .default(50)
        .openapi({ type: 'integer', minimum: 1, maximum: MAX_PAGE }),
      cursor: text.openapi({ description: 'the nextCursor of the page before' }),
    }),
  },
  responses: {
    200: {
      description: 'a page',
      content: {
        'application/json': {
          schema: z.object({ entries: z.array(entrySchema), nextCursor: z.string().nullable() }),
        },
      },
    },
    ...problems(422, 503),
  },
});
