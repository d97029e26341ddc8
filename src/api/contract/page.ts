/**
 * How many of a list a request asks for at once.
 */
import { z } from '@hono/zod-openapi';

export const pageLimit = z
  .string()
  .regex(/^(?:[1-9]\d?|1\d\d|200)$/, 'must be a whole number from 1 to 200')
  .default('50')
  .transform(Number)
  .openapi({ type: 'integer', minimum: 1, maximum: 200, default: 50 });
