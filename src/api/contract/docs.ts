/**
 * The routes that describe the others.
 */
import { z } from '@hono/zod-openapi';
import { defineRoute } from '../access/route-access.ts';

const tags = ['documentation'];

export const openapiRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/openapi.json',
  tags,
  summary: 'This API as an OpenAPI 3.1 document',
  description: '`x-job-types` has the registered job types and the JSON schemas of their arguments.',
  responses: {
    200: {
      description: 'OpenAPI 3.1',
      content: { 'application/json': { schema: z.object({}).openapi({ additionalProperties: true }) } },
    },
  },
});

export const docsRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/docs',
  tags,
  summary: 'This API as a page for people',
  description: 'Where tokens are asked for, a browser is shown where to sign in.',
  responses: { 200: { description: 'HTML', content: { 'text/html': { schema: z.string() } } } },
});
