/**
 * One job as people look at it: itself, now or when it has ended, and what it has said.
 */
import { z } from '@hono/zod-openapi';
import { reasonNames } from '#queue/explain/reasons.ts';
import { MAX_LOG_BYTES, MAX_LOG_LINES } from '#shared/job/job-note.ts';
import { jobStates } from '#shared/job/transitions.ts';
import { defineRoute } from '../access/route-access.ts';
import { jobSchema } from './job.ts';
import { problems } from './problem.ts';

const logLineSchema = z
  .object({
    at: z.string(),
    attempt: z.int(),
    level: z.enum(['debug', 'info', 'warn', 'error']),
    message: z.string(),
  })
  .openapi('JobLogLine');

const params = z.object({
  id: z
    .string()
    .openapi({ param: { name: 'id', in: 'path' }, description: 'decimal digits', example: '4711' }),
});
const tags = ['jobs'];

/** What a request may wait for the end of a job. */
export const MAX_WAIT_SECONDS = 60;

export const showRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/jobs/{id}',
  tags,
  summary: 'Look a job up, and wait for its end',
  request: {
    params,
    query: z.strictObject({
      wait: z
        .string()
        .regex(/^(?:[1-5]?\d|60)$/, `must be a whole number from 0 to ${MAX_WAIT_SECONDS}`)
        .transform(Number)
        .optional()
        .openapi({
          type: 'integer',
          minimum: 0,
          maximum: MAX_WAIT_SECONDS,
          description: 'seconds to wait for its end: then it is answered as it is',
        }),
    }),
  },
  responses: {
    200: {
      description: 'the job',
      content: { 'application/json': { schema: z.object({ job: jobSchema }) } },
    },
    ...problems(404, 422, 503),
  },
});

export const logsRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/jobs/{id}/logs',
  tags,
  summary: 'What a job has said in its attempts, the oldest line first',
  description: `Of an attempt at most ${MAX_LOG_LINES} lines and ${MAX_LOG_BYTES} bytes are kept, with the job.`,
  request: { params },
  responses: {
    200: {
      description: 'its lines',
      content: { 'application/json': { schema: z.object({ logs: z.array(logLineSchema) }) } },
    },
    ...problems(404, 503),
  },
});

export const explanationSchema = z
  .object({
    state: z.enum(jobStates),
    reason: z.enum(reasonNames).openapi({ description: 'docs/explain.md has what each means' }),
    since: z.string().nullable().openapi({
      format: 'date-time',
      description: 'since when that is so; where nobody has noted it, since when the job is due',
    }),
    detail: z.string().openapi({ description: 'one sentence' }),
    remedy: z.string().nullable().openapi({ description: 'what to do; null where there is nothing to do' }),
    waitsFor: z
      .string()
      .nullable()
      .openapi({ description: 'the id of the job that it waits for, where it is one' }),
  })
  .openapi('Explanation');

export const explainRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/jobs/{id}/explain',
  tags,
  summary: 'Why a job is not running',
  request: { params },
  responses: {
    200: {
      description: 'the first thing that stands in its way',
      content: { 'application/json': { schema: explanationSchema } },
    },
    ...problems(404, 503),
  },
});
