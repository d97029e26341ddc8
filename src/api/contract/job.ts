/**
 * Jobs as the outside sees them: what may be sent, what comes back, and the routes. The same schemas validate and document.
 */
import { z } from '@hono/zod-openapi';
import {
  EITHER_UNIQUE,
  instantSchema,
  isEitherUnique,
  jobMembers,
  MAX_ATTEMPTS,
  MAX_DELAY_MS,
} from '#queue/enqueue-options.ts';
import { isName } from '#shared/job/app.ts';
import { MAX_LISTED_BYTES, truncatedMembers } from '#shared/job/listed-job.ts';
import { jobStates } from '#shared/job/transitions.ts';
import { defineRoute } from '../access/route-access.ts';
import { filterQuery } from './job-filter.ts';
import { pageLimit } from './page.ts';
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
    unique: jobMembers.unique.optional().openapi({
      description:
        '`for` says how long the job holds the key: until it ends (`live`), until it starts (`waiting`), or for some time; `onConflict` what becomes of this job where another holds it',
    }),
    priority: jobMembers.priority
      .optional()
      .openapi({ description: "the higher first; defaults to the job type's" }),
    group: jobMembers.group
      .optional()
      .openapi({ description: 'the groups of a queue take turns', example: 'tenant-7' }),
    orderingKey: jobMembers.orderingKey.optional().openapi({
      description: 'jobs of a queue with the same key run one after the other',
    }),
    tags: jobMembers.tags.optional(),
    limits: jobMembers.limits
      .optional()
      .openapi({ description: 'what it counts against: `name` or `name:key`' }),
    expiresAt: instantSchema
      .optional()
      .openapi({ type: 'string', format: 'date-time', description: 'not started by then, never started' }),
    batch: jobMembers.batch
      .optional()
      .openapi({ description: 'a batch that has not ended, which the job is to belong to' }),
  })
  .refine(({ runAt, delayMs }) => runAt === undefined || delayMs === undefined, {
    error: 'give runAt or delayMs, not both',
    path: ['delayMs'],
  })
  .refine(isEitherUnique, EITHER_UNIQUE)
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
    priority: z.int(),
    group: z.string().nullable(),
    orderingKey: z.string().nullable(),
    tags: z.array(z.string()),
    limits: z.array(z.string()),
    expiresAt: time.nullable(),
    batch: z.string().nullable().openapi({ description: 'the batch that it belongs to' }),
    output: z.unknown(),
    errors: z.array(attemptErrorSchema),
    progress: z
      .object({
        share: z.number().openapi({ description: '0 to 1' }),
        text: z.string().nullable(),
        at: z.string(),
      })
      .optional()
      .openapi({ description: 'how far its attempt has come, where its handler has told; not in lists' }),
    traceId: z.string().optional().openapi({
      description: 'of the trace that it was enqueued in, where there is one; of a job that is looked up',
    }),
    traceUrl: z.string().optional().openapi({
      description: 'where that trace is looked at, where the API was told (`TRACE_URL_TEMPLATE`)',
    }),
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

export const idempotencyKeySchema = z
  .string()
  .regex(/^[\x20-\x7e]{1,200}$/, 'must be 1 to 200 printable ASCII characters')
  .optional();

/** For the document alone: the handlers read what they need of them (valid-request.ts). */
const headers = traceHeaders.extend({
  'Idempotency-Key': idempotencyKeySchema.openapi({
    description: 'the same request with the same key is done once',
  }),
});
export const jobParams = z.object({ id: id.openapi({ param: { name: 'id', in: 'path' } }) });
const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });
const jobAnswer = z.object({ job: jobSchema });
export const oneJob = json(jobAnswer);
const heldAnswer = z.object({
  job: jobSchema,
  created: z.literal(false),
  conflict: z.enum(['kept', 'replaced', 'postponed', 'merged']).optional(),
});
const idsAnswer = z.object({ ids: z.array(id) });
/** What `POST /v1/jobs` answers. */
export type EnqueueAnswer = z.input<typeof jobAnswer> | z.input<typeof heldAnswer>;
/** What `POST /v1/jobs/batch` answers. */
export type EnqueueBatchAnswer = z.input<typeof idsAnswer>;
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
    200: {
      description: 'another job holds the unique key: that one, and what became of it',
      content: json(heldAnswer),
    },
    ...problems(400, 409, 413, 415, 422, 429, 503),
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
      content: json(idsAnswer),
    },
    ...problems(400, 409, 413, 415, 422, 429, 503),
  },
});

export const listRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/jobs',
  tags,
  summary: 'List jobs, newest first',
  request: {
    query: z.strictObject({
      ...filterQuery,
      limit: pageLimit,
      cursor: z.string().optional().openapi({ description: 'the `nextCursor` of the page before' }),
    }),
  },
  responses: {
    200: {
      description:
        'a page; `nextCursor` is null on the last one. A page that has one may be short or empty: its time was over before so many jobs were found',
      content: json(z.object({ jobs: z.array(listedJobSchema), nextCursor: z.string().nullable() })),
    },
    ...problems(422, 503),
  },
});
