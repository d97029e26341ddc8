/**
 * A setting that is a number of days, fractions too. Pure.
 */
import { z } from 'zod';

const DAY_MS = 86_400_000;
const MAX_DAYS = 36_500;

/** Milliseconds; null for 0, which means for ever. */
export const days = z
  .string()
  .regex(/^\d{1,5}(\.\d{1,6})?$/, 'must be a number of days, such as 7 or 0.5')
  .transform(Number)
  .refine((count) => count <= MAX_DAYS, `must be at most ${MAX_DAYS}`)
  .transform((count) => (count === 0 ? null : count * DAY_MS));
