/**
 * An act on all jobs that match a filter, as a route.
 */
import { z } from '@hono/zod-openapi';
import { BULK_TYPE, DEFAULT_PER_SECOND } from '#queue/bulk/bulk-input.ts';
import { manyActions } from '#shared/job/transitions.ts';
import { defineRoute } from '../access/route-access.ts';
import { oneJob } from './job.ts';
import { changesBody } from './job-acts.ts';
import { filterBody } from './job-filter.ts';
import { problems } from './problem.ts';
import { traceHeaders } from './trace.ts';

const bulkBody = z
  .strictObject({
    action: z.enum(manyActions).openapi({
      description:
        '`reencrypt`: encrypt what an older key has encrypted with the current one, whatever the state',
    }),
    filter: filterBody.openapi({ description: 'at least one member; all of them must fit a job' }),
    set: z
      .strictObject(changesBody.shape)
      .optional()
      .openapi({ description: 'what an `edit` changes; `args` where the filter names one job type' }),
    dryRun: z.boolean().optional().openapi({ description: 'only count' }),
    perSecond: z
      .int()
      .optional()
      .openapi({ description: `at most so many jobs in a second; defaults to ${DEFAULT_PER_SECOND}` }),
  })
  .openapi('BulkAct');

const json = <Schema extends z.ZodType>(schema: Schema) => ({ 'application/json': { schema } });

export const bulkRoute = defineRoute({
  'x-role': 'operator',
  'x-audited': true,
  method: 'post',
  path: '/v1/jobs/bulk',
  tags: ['jobs'],
  summary: 'Act on all jobs that match a filter',
  description: `Jobs whose state does not allow the act are left as they are, and so are those that are enqueued later. A job of the type \`${BULK_TYPE}\` does it: its progress is seen and it can be cancelled as any.`,
  request: { headers: traceHeaders, body: { content: json(bulkBody), required: true } },
  responses: {
    200: {
      description: 'of a dry run: how many jobs it would be done to now',
      content: json(z.object({ count: z.int() })),
    },
    202: {
      description: 'the job that does it',
      headers: { Location: { schema: { type: 'string' } } },
      content: oneJob,
    },
    ...problems(400, 409, 413, 415, 422, 429, 503),
  },
});
