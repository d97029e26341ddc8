/**
 * Whether the process lives, whether it can serve, and its numbers.
 */
import { z } from '@hono/zod-openapi';
import { defineRoute } from '../access/route-access.ts';

const check = z.object({ ok: z.boolean(), detail: z.string().optional() });
const readiness = {
  'application/json': {
    schema: z
      .object({
        status: z.enum(['ok', 'degraded', 'unavailable', 'stopping']),
        checks: z.object({ postgres: check, rabbitmq: check }),
      })
      .openapi('Readiness'),
  },
};
const tags = ['health'];

export const livezRoute = defineRoute({
  'x-role': 'none',
  method: 'get',
  path: '/livez',
  tags,
  summary: 'The process lives',
  description: 'Never looks at another server.',
  responses: {
    200: {
      description: 'it does',
      content: { 'application/json': { schema: z.object({ status: z.literal('ok') }) } },
    },
  },
});

export const readyzRoute = defineRoute({
  'x-role': 'none',
  method: 'get',
  path: '/readyz',
  tags,
  summary: 'Whether it can serve',
  description:
    'Without RabbitMQ it is `degraded` and serves all the same: jobs are committed and published later. Without Postgres it is not ready.',
  responses: {
    200: { description: '`ok` or `degraded`', content: readiness },
    503: { description: '`unavailable` or `stopping`', content: readiness },
  },
});

export const metricsRoute = defineRoute({
  'x-role': 'metrics',
  method: 'get',
  path: '/metrics',
  tags,
  summary: 'Numbers for Prometheus',
  responses: {
    200: { description: 'Prometheus text', content: { 'text/plain': { schema: z.string() } } },
  },
});
