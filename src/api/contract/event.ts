/**
 * The stream of events as the outside sees it.
 */
import { z } from '@hono/zod-openapi';
import { jobEventKinds, MAX_FILTER_VALUES } from '#shared/job/job-event.ts';
import { defineRoute } from '../access/route-access.ts';
import { problems } from './problem.ts';

/** A parameter that may be repeated. */
const oneOrMore = <Schema extends z.ZodType<string, string>>(schema: Schema) =>
  z
    .union([schema.transform((value) => [value]), z.array(schema).max(MAX_FILTER_VALUES)])
    .optional()
    .openapi({ type: 'array', items: { type: 'string' }, description: 'any of these; may be repeated' });
const name = z.string().min(1).max(200);

export const eventsRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/events',
  tags: ['events'],
  summary: 'What happens to jobs, live',
  description:
    'Server-sent events (docs/watching.md): `ready`, then one for each change, in whichever process. A client that comes back with `Last-Event-ID` and the same parameters gets what has happened meanwhile; `reset` tells it that something may be missing.',
  request: {
    query: z.strictObject({
      job: oneOrMore(z.string().regex(/^\d{1,19}$/, 'must be the id of a job')),
      queue: oneOrMore(name),
      type: oneOrMore(name),
      kind: oneOrMore(z.enum(jobEventKinds)),
    }),
    headers: z.object({
      'Last-Event-ID': z
        .string()
        .max(8_000)
        .optional()
        .openapi({ description: 'the `id` of the last event that was received' }),
    }),
  },
  responses: {
    200: {
      description:
        'the stream: it ends when the server stops, or after `reset` where the client reads too slowly',
      content: { 'text/event-stream': { schema: z.string() } },
    },
    ...problems(422, 503),
  },
});
