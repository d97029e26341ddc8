/**
 * Which jobs are meant, as the parameters of a list have it, and as a body.
 */
import { z } from '@hono/zod-openapi';
import { filterMembers } from '#queue/filter-input.ts';

const time = (description: string) => ({ type: 'string', format: 'date-time', description }) as const;

export const filterQuery = {
  state: filterMembers.state.optional().openapi({ description: 'any of these' }),
  type: filterMembers.type.optional().openapi({ description: 'any of these' }),
  queue: filterMembers.queue.optional(),
  priority: z
    .string()
    .regex(/^\d$/, 'must be 0 to 9')
    .transform(Number)
    .optional()
    .openapi({ type: 'integer', minimum: 0, maximum: 9 }),
  group: filterMembers.group.optional(),
  tag: filterMembers.tag.optional().openapi({ description: 'all of these' }),
  batch: filterMembers.batch.optional().openapi({ description: 'members of this batch' }),
  createdAfter: filterMembers.createdAfter.optional().openapi(time('enqueued later than that')),
  finishedAfter: filterMembers.finishedAfter.optional().openapi(time('ended later than that')),
  finishedBefore: filterMembers.finishedBefore.optional().openapi(time('ended earlier than that')),
  q: filterMembers.q
    .optional()
    .openapi({ description: 'text in what is shown of the arguments, or in the message of an error' }),
};

export const filterBody = z
  .strictObject({ ...filterQuery, priority: filterMembers.priority.optional() })
  .openapi('JobFilter');
