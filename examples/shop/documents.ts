/**
 * What the OpenAPI document says of the shop's endpoint: the route is hot and validates by itself.
 */
import type { RouteDocument } from 'warren/app';
import { z } from 'zod';

const order = z.object({
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
});

const answer = z.object({ order, jobId: z.string() });
const problem = {
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
};

const testRoute: Omit<RouteDocument, 'method'> = {
  path: '/api/test/{id}',
  'x-role': 'operator',
  tags: ['shop'],
  summary: 'Look an order up and enqueue `process-order` for it',
  parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'string' }, example: '1' }],
  responses: {
    200: {
      description: 'the order, and the job that was committed',
      content: { 'application/json': { schema: z.toJSONSchema(answer) } },
    },
    400: { description: 'Bad Request', ...problem },
    404: { description: 'Not Found', ...problem },
    503: { description: 'Service Unavailable', ...problem },
  },
};

export const testRoutes: RouteDocument[] = [
  { ...testRoute, method: 'get' },
  { ...testRoute, method: 'post' },
];
