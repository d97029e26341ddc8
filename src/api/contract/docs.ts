/**
 * The routes that describe the others.
 */
import { createRoute, z } from '@hono/zod-openapi';

const tags = ['documentation'];

export const openapiRoute = createRoute({
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

export const docsRoute = createRoute({
  method: 'get',
  path: '/docs',
  tags,
  summary: 'This API as a page for people',
  description: 'With a token set, the browser asks for it: it is the password, any user name will do.',
  responses: { 200: { description: 'HTML', content: { 'text/html': { schema: z.string() } } } },
});
