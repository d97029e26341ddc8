/**
 * What a schema makes of parts of a request, for the busy routes: hono's validators cost a fifth of a request to `POST /v1/jobs`, for they copy all
 * headers first and are a middleware each. The refusals are the same as theirs (problem.ts).
 */
import type { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { InvalidInput } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import { idempotencyKeySchema } from './contract/job.ts';

/** Undefined where the request has none. Throws `InvalidInput`. */
export function idempotencyKeyOf(c: Context): string | undefined {
  const parsed = idempotencyKeySchema.safeParse(c.req.header('idempotency-key'));
  if (parsed.success) return parsed.data;
  throw new InvalidInput(
    'invalid_request',
    'the request does not fit its schema',
    toInputIssues(parsed.error.issues, '/Idempotency-Key'),
  );
}

/** What the schema makes of the body. Throws `InvalidInput`. */
export function validBody<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new InvalidInput(
    'invalid_body',
    'the body does not fit its schema',
    toInputIssues(parsed.error.issues),
  );
}
