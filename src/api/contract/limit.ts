/**
 * Limits as the outside sees them, and their routes.
 */
import { z } from '@hono/zod-openapi';
import type { Limit } from '#shared/job/limit.ts';
import { MAX_PLACES, MAX_RATE_MS } from '#shared/job/limit.ts';
import { defineRoute } from '../access/route-access.ts';
import { problems } from './problem.ts';
import { sameName } from './same-name.ts';

const places = z.int().min(1).max(MAX_PLACES);
const count = z.int().min(0);

const rateSchema = z
  .strictObject({
    count: places,
    perMs: z.int().min(1).max(MAX_RATE_MS),
    burst: places.optional().openapi({
      description:
        'how many may start at once after a pause; defaults to what a tenth of a second lets through',
    }),
  })
  .openapi({ description: 'so many starts in so many milliseconds, evenly' });

export const newLimitSchema = z
  .strictObject({
    name: sameName,
    concurrency: places.nullish().openapi({ description: 'at most so many jobs at once' }),
    rate: rateSchema.nullish(),
  })
  .refine(({ concurrency, rate }) => concurrency != null || rate != null, {
    error: 'give a concurrency, a rate, or both',
  })
  .openapi('NewLimit');

/** An answer's `null` is a member that is not given. */
export function toLimit({ concurrency, rate }: z.output<typeof newLimitSchema>): Limit {
  return { concurrency: concurrency ?? undefined, rate: rate ?? undefined };
}

export const limitSchema = z
  .object({
    name: z.string(),
    concurrency: places.nullable(),
    rate: z.object({ count: places, perMs: z.int(), burst: places }).nullable(),
    origin: z.enum(['definition', 'run time']).openapi({
      description: 'an application defines it, or it was put over this API, which wins',
    }),
    inUse: count.openapi({ description: 'jobs that have a place now, all keys together' }),
    waiting: count.openapi({ description: 'jobs that wait for one, all keys together' }),
  })
  .openapi('Limit');

const params = z.object({
  name: z
    .string()
    .regex(/^[a-z0-9_-]{1,60}$/)
    .openapi({ param: { name: 'name', in: 'path' }, example: 'stripe' }),
});
const limit = { 'application/json': { schema: limitSchema } };
const tags = ['limits'];

export const limitsRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/limits',
  tags,
  summary: 'Every limit, and how much of it is in use',
  responses: {
    200: {
      description: 'every limit',
      content: { 'application/json': { schema: z.object({ limits: z.array(limitSchema) }) } },
    },
    ...problems(503),
  },
});

export const limitRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/limits/{name}',
  tags,
  summary: 'One limit, and how much of it is in use',
  request: { params },
  responses: { 200: { description: 'the limit', content: limit }, ...problems(404, 422, 503) },
});

export const putLimitRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'put',
  path: '/v1/limits/{name}',
  tags,
  summary: 'Make or change a limit',
  description: 'Wins over what applications define, until it is deleted. Jobs that run go on.',
  request: { params, body: { required: true, content: { 'application/json': { schema: newLimitSchema } } } },
  responses: {
    200: { description: 'the limit as it is now', content: limit },
    ...problems(400, 413, 415, 422, 503),
  },
});

export const deleteLimitRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'delete',
  path: '/v1/limits/{name}',
  tags,
  summary: 'Forget what was put',
  description:
    'What an application defines holds again. Where none does, nothing is limited by this name any more.',
  request: { params },
  responses: {
    200: {
      description: 'the limit as an application defines it; null where none does',
      content: { 'application/json': { schema: z.union([limitSchema, z.null()]) } },
    },
    ...problems(404, 422, 503),
  },
});
