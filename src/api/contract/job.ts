/**
 * Jobs as the outside sees them: what may be sent, what comes back, and the routes. The same schemas validate and document.
 */
import { createRoute, z } from '@hono/zod-openapi';
import { instantSchema, MAX_ATTEMPTS, MAX_DELAY_MS } from '#queue/enqueue-options.ts';
import { isName } from '#shared/job/app.ts';
import { MAX_LISTED_BYTES, truncatedMembers } from '#shared/job/listed-job.ts';
import { jobStates } from '#shared/job/transitions.ts';
import { defineRoute } from '../access/route-access.ts';
import { isStorableText } from '../storable-json.ts';
import { problems } from './problem.ts';
import { traceHeaders } from './trace.ts';

const MEBIBYTE = 1_048_576;

export const MAX_JOB_BYTES = MEBIBYTE;
/** JSON values of one job. Checking so many against a job type's schema takes 40 ms in the worst shape, and cannot be interrupted. */
export const MAX_JOB_VALUES = 10_000;
/** `args` may nest 64 deep, and a job is an object around them. */
export const MAX_JOB_DEPTH = 65;
export const MAX_BATCH_JOBS = 10_000;
export const MAX_BATCH_BYTES = 8 * MEBIBYTE;
export const MAX_BATCH_VALUES = 500_000;

const id = z.string().openapi({ description: 'decimal digits', example: '4711' });
const time = z.iso.datetime().openapi({ example: '2026-01-31T12:00:00.000Z' });
const name = z.string().min(1).max(200);
const queueName = z.string().refine(isName, 'is no name of a queue: [a-z0-9_-]{1,60}');

export const newJobSchema = z
  .strictObject({
    type: name.openapi({ description: 'a job type of the application', example: 'send-welcome' }),
    args: z.unknown().openapi({ description: "by the job type's schema", example: { orderId: '17' } }),
    queue: queueName.optional().openapi({ description: "defaults to the job type's" }),
    runAt: instantSchema
      .optional()
      .openapi({ type: 'string', format: 'date-time', description: 'defaults to now' }),
    delayMs: z.int().min(0).max(MAX_DELAY_MS).optional().openapi({
      description: 'milliseconds from the insert on, by the clock of the database; not together with `runAt`',
    }),
    maxAttempts: z
      .int()
      .min(1)
      .max(MAX_ATTEMPTS)
      .optional()
      .openapi({ description: "defaults to the job type's" }),
    uniqueKey: name.optional().openapi({ description: 'at most one live job of the type has it' }),
  })
  .refine(({ runAt, delayMs }) => runAt === undefined || delayMs === undefined, {
    error: 'give runAt or delayMs, not both',
    path: ['delayMs'],
  })
  .openapi('NewJob');

export type NewJobBody = z.output<typeof newJobSchema>;

const attemptErrorSchema = z.object({
  attempt: z.int(),
  at: z.string(),
  message: z.string(),
  stack: z.string().optional().openapi({ description: 'its frames, at most 2 KiB of them' }),
  causes: z
    .array(z.object({ message: z.string(), stack: z.string().optional() }))
    .optional()
    .openapi({ description: 'what the error names as its cause, and so on; at most 8, nearest first' }),
});

export const jobSchema = z
  .object({
    id,
    type: z.string(),
    queue: z.string(),
    state: z.enum(jobStates),
    args: z.unknown(),
    attempt: z.int().openapi({ description: 'attempts charged so far' }),
    maxAttempts: z
      .int()
      .openapi({ description: 'grows by one where the worker died during an attempt that had started' }),
    runAt: time,
    createdAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
    uniqueKey: z.string().nullable(),
    output: z.unknown(),
    errors: z.array(attemptErrorSchema),
  })
  .openapi('Job');

export const listedJobSchema = jobSchema
  .extend({
    truncated: z
      .array(z.enum(truncatedMembers))
      .optional()
      .openapi({
        description: `the members that are too large for a list, above ${MAX_LISTED_BYTES} bytes: \`args\` and \`output\` are null then, of \`errors\` the last one is left, its message cut. \`GET /v1/jobs/{id}\` has them`,
      }),
  })
  .openapi('ListedJob');

const headers = traceHeaders.extend({
  'Idempotency-Key': z
    .string()
    .regex(/^[\x20-\x7e]{1,200}$/, 'must be 1 to 200 printable ASCII characters')
    .optional()
    .openapi({ description: 'the same request with the same key is done once' }),
});
const params = z.object({ id: id.openapi({ param: { name: 'id', in: 'path' } }) });
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });
const oneJob = json(z.object({ job: jobSchema }));
const tags = ['jobs'];

export const enqueueRoute = defineRoute({
  'x-role': 'operator',
  method: 'post',
  path: '/v1/jobs',
  tags,
  summary: 'Enqueue a job',
  description: `202: the row is committed in Postgres. RabbitMQ need not be up. A body has at most 1 MiB and ${MAX_JOB_VALUES} JSON values.`,
  request: { headers, body: { content: json(newJobSchema), required: true } },
  responses: {
    202: { description: 'committed', headers: { Location: { schema: { type: 'string' } } }, content: oneJob },
    200: { description: 'a live job holds the uniqueKey: that one', content: oneJob },
    ...problems(400, 409, 413, 415, 422, 503),
  },
});

export const enqueueBatchRoute = defineRoute({
  'x-role': 'operator',
  method: 'post',
  path: '/v1/jobs/batch',
  tags,
  summary: 'Enqueue up to 10 000 jobs, all or none',
  description: `A body has at most 8 MiB and ${MAX_BATCH_VALUES} JSON values; each job has at most what it may have alone.`,
  request: {
    headers,
    body: {
      content: json(z.strictObject({ jobs: z.array(newJobSchema).min(1).max(MAX_BATCH_JOBS) })),
      required: true,
    },
  },
  responses: {
    202: {
      description: 'committed; the ids in the order of the jobs (of the holder where a uniqueKey is held)',
      content: json(z.object({ ids: z.array(id) })),
    },
    ...problems(400, 409, 413, 415, 422, 503),
  },
});

/** The batch as it is served: its body is read job by job (batch-body.ts), not by the route's validator. */
export const enqueueBatchHeadersRoute = createRoute({
  method: 'post',
  path: enqueueBatchRoute.path,
  hide: true,
  request: { headers },
  responses: enqueueBatchRoute.responses,
});

export const showRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/jobs/{id}',
  tags,
  summary: 'Look a job up',
  request: { params },
  responses: { 200: { description: 'the job', content: oneJob }, ...problems(404, 503) },
});

export const listRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/jobs',
  tags,
  summary: 'List jobs, newest first',
  request: {
    query: z.strictObject({
      state: z.enum(jobStates).optional(),
      type: name.refine(isStorableText, 'contains U+0000').optional(),
      queue: queueName.optional(),
      limit: z
        .string()
        .regex(/^(?:[1-9]\d?|1\d\d|200)$/, 'must be a whole number from 1 to 200')
        .default('50')
        .transform(Number)
        .openapi({ type: 'integer', minimum: 1, maximum: 200, default: 50 }),
      cursor: z.string().optional().openapi({ description: 'the `nextCursor` of the page before' }),
    }),
  },
  responses: {
    200: {
      description: 'a page; `nextCursor` is null on the last one',
      content: json(z.object({ jobs: z.array(listedJobSchema), nextCursor: z.string().nullable() })),
    },
    ...problems(422, 503),
  },
});

export const cancelRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/jobs/{id}/cancel',
  tags,
  summary: 'Cancel a job that has not ended',
  description:
    "A running job's handler is told to stop, and the answer waits for it for a second: the state that comes back may still be `running`.",
  request: { params },
  responses: { 200: { description: 'the job as it is now', content: oneJob }, ...problems(404, 409, 503) },
});

export const retryRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/jobs/{id}/retry',
  tags,
  summary: 'Run a retryable, discarded or cancelled job now',
  request: { params },
  responses: { 200: { description: 'the job, available', content: oneJob }, ...problems(404, 409, 503) },
});
