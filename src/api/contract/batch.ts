/**
 * Batches as the outside sees them, and their routes.
 */
import { z } from '@hono/zod-openapi';
import { batchStates } from '#shared/job/batch.ts';
import { jobStates } from '#shared/job/transitions.ts';
import { defineRoute } from '../access/route-access.ts';
import { idempotencyKeySchema, MAX_BATCH_JOBS, newJobSchema } from './job.ts';
import { problems } from './problem.ts';
import { traceHeaders } from './trace.ts';

const count = z.int().min(0);
const time = z.iso.datetime().openapi({ example: '2026-01-31T12:00:00.000Z' });

/** What a new batch has beside its jobs. */
export const newBatchMembers = {
  open: z.boolean().optional().openapi({
    description: 'it does not end before it is closed: more jobs come from outside. Defaults to false',
  }),
  onFirstFailure: newJobSchema
    .optional()
    .openapi({ description: 'enqueued when the first of its jobs is discarded' }),
  onSuccess: newJobSchema.optional().openapi({ description: 'enqueued when all its jobs have completed' }),
  onEnd: newJobSchema.optional().openapi({ description: 'enqueued when all its jobs have ended, however' }),
};

const newBatchSchema = z.strictObject({
  ...newBatchMembers,
  jobs: z.array(newJobSchema).max(MAX_BATCH_JOBS),
});
export type NewBatchBody = Omit<z.output<typeof newBatchSchema>, 'jobs'>;

export const batchSchema = z
  .object({
    id: z.string(),
    state: z.enum(batchStates),
    open: z.boolean(),
    total: count.openapi({ description: 'jobs that belong to it' }),
    counts: z.partialRecord(z.enum(jobStates), count).openapi({ description: 'of its jobs, by state' }),
    done: z.number().openapi({ description: 'how many of them have ended, 0 to 1' }),
    createdAt: time,
    finishedAt: time.nullable(),
  })
  .openapi('Batch');

const createdBatchSchema = batchSchema.extend({ ids: z.array(z.string()) }).openapi('CreatedBatch');
/** What `POST /v1/batches` answers. */
export type CreatedBatch = z.input<typeof createdBatchSchema>;

const params = z.object({
  id: z.string().openapi({ param: { name: 'id', in: 'path' }, description: 'decimal digits', example: '12' }),
});
const oneBatch = { 'application/json': { schema: batchSchema } };
const tags = ['batches'];
/** For the document alone: the handler reads what it needs of them (valid-request.ts). */
const headers = traceHeaders.extend({
  'Idempotency-Key': idempotencyKeySchema.openapi({
    description: 'the same request with the same key is done once; not for a batch without jobs',
  }),
});

export const createBatchRoute = defineRoute({
  'x-role': 'operator',
  method: 'post',
  path: '/v1/batches',
  tags,
  summary: 'Enqueue jobs that belong together',
  description:
    'All or none. More jobs join it by their member `batch`, as long as it has not ended; a job of the batch may enqueue more of them.',
  request: { headers, body: { content: { 'application/json': { schema: newBatchSchema } }, required: true } },
  responses: {
    202: {
      description: 'committed; the ids in the order of the jobs',
      headers: { Location: { schema: { type: 'string' } } },
      content: {
        'application/json': {
          schema: createdBatchSchema,
        },
      },
    },
    ...problems(400, 409, 413, 415, 422, 429, 503),
  },
});

const listedBatchSchema = batchSchema
  .omit({ total: true, counts: true, done: true })
  .extend({
    total: count
      .nullable()
      .openapi({ description: 'null while it runs: its jobs are counted by `GET /v1/batches/{id}`' }),
    counts: batchSchema.shape.counts.nullable(),
  })
  .openapi('ListedBatch');
const MAX_PAGE = 200;

export const batchesRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/batches',
  tags,
  summary: 'Batches, newest first',
  request: {
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).max(MAX_PAGE).optional(),
      cursor: z.string().max(60).optional().openapi({ description: 'the `nextCursor` of the page before' }),
    }),
  },
  responses: {
    200: {
      description: 'a page of them',
      content: {
        'application/json': {
          schema: z.object({ batches: z.array(listedBatchSchema), nextCursor: z.string().nullable() }),
        },
      },
    },
    ...problems(422, 503),
  },
});

export const batchRoute = defineRoute({
  'x-role': 'viewer',
  method: 'get',
  path: '/v1/batches/{id}',
  tags,
  summary: 'How far a batch is',
  request: { params },
  responses: { 200: { description: 'the batch', content: oneBatch }, ...problems(404, 503) },
});

export const closeBatchRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/batches/{id}/close',
  tags,
  summary: 'Let an open batch end when its jobs have',
  request: { params },
  responses: {
    200: { description: 'the batch as it is now', content: oneBatch },
    ...problems(404, 409, 503),
  },
});

export const cancelBatchRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/batches/{id}/cancel',
  tags,
  summary: 'Cancel the jobs of a batch that have not ended',
  description: 'Those that run are told to stop. The batch is closed, and ends when the last of them has.',
  request: { params },
  responses: {
    200: { description: 'the batch as it is now', content: oneBatch },
    ...problems(404, 409, 503),
  },
});
