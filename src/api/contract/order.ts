/**
 * The source article's endpoint, for the OpenAPI document alone: the route is hot and validates by itself.
 */
import { z } from '@hono/zod-openapi';
import { defineRoute } from '../access/route-access.ts';
import { problems } from './problem.ts';
import { traceHeaders } from './trace.ts';

const orderSchema = z
  .object({
    id: z.string(),
    customer: z.object({
      name: z.string(),
      email: z.string(),
      address: z.object({ street: z.string(), city: z.string(), country: z.string() }),
    }),
    items: z.array(z.object({ sku: z.string(), name: z.string(), quantity: z.int(), unitCents: z.int() })),
    currency: z.string(),
    note: z.string(),
    createdAt: z.iso.datetime(),
  })
  .openapi('Order');

export const TEST_PATH = '/api/test/{id}';

const route = {
  path: TEST_PATH,
  tags: ['demonstration'],
  summary: 'Look an order up and enqueue `process-order` for it',
  request: {
    headers: traceHeaders,
    params: z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' }, example: '1' }) }),
  },
  responses: {
    200: {
      description: 'the order, and the job that was committed',
      content: { 'application/json': { schema: z.object({ order: orderSchema, jobId: z.string() }) } },
    },
    ...problems(400, 404, 503),
  },
};

export const testRoutes = [
  defineRoute({ ...route, 'x-role': 'operator', method: 'get' }),
  defineRoute({ ...route, 'x-role': 'operator', method: 'post' }),
];
