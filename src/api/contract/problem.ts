/**
 * What an error looks like from outside: `application/problem+json` (RFC 9457), the same for every route.
 */
import { STATUS_CODES } from 'node:http';
import { z } from '@hono/zod-openapi';
import type { Problem } from '#shared/http/problem-response.ts';
import { PROBLEM_MEDIA_TYPE } from '#shared/http/problem-response.ts';

export const problemSchema: z.ZodType<Problem> = z
  .object({
    type: z.literal('about:blank').openapi({ description: '`code` tells problems of one status apart' }),
    title: z.string().openapi({ description: "the status's name", example: 'Unprocessable Entity' }),
    status: z.int().openapi({ example: 422 }),
    detail: z.string().openapi({ description: 'what is wrong, for people' }),
    code: z.string().openapi({ description: 'what is wrong, for programs', example: 'invalid_body' }),
    errors: z
      .array(
        z.object({
          detail: z.string(),
          pointer: z.string().openapi({ description: 'JSON pointer to the member, or `/<query parameter>`' }),
        }),
      )
      .optional()
      .openapi({ description: 'of a validation, at most 20' }),
  })
  .openapi('Problem');

type ProblemResponses<Status extends number> = Record<
  Status,
  { description: string; content: { [PROBLEM_MEDIA_TYPE]: { schema: typeof problemSchema } } }
>;

/** The responses of a route that end in a problem. */
export function problems<const Status extends number>(...statuses: Status[]): ProblemResponses<Status> {
  const responses = statuses.map((status) => [
    status,
    {
      description: STATUS_CODES[status] ?? String(status),
      content: { [PROBLEM_MEDIA_TYPE]: { schema: problemSchema } },
    },
  ]);
  return Object.fromEntries(responses) as ProblemResponses<Status>;
}
