/**
 * How a job is to be treated, as an application's code says it: checked before anything is written. Pure.
 *
 * Guarantees: what is not known is refused, so that a misspelt option, or one of a later version, is never left out in silence.
 */
import { z } from 'zod';
import { InvalidInput } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import type { EnqueueOptions } from '#shared/job/job.ts';

/** Ten years. */
export const MAX_DELAY_MS = 315_360_000_000;
export const MAX_ATTEMPTS = 100;
export const MAX_UNIQUE_KEY_CHARACTERS = 200;
const FIRST_YEAR = 1970;
const LAST_YEAR = 2500;

/** The same instant in the one spelling that Postgres knows for every offset. */
export const instantSchema = z.iso
  .datetime({ offset: true, error: 'must be a time as RFC 3339 has it, with an offset or Z' })
  .refine((text) => isSaneYear(new Date(text).getUTCFullYear()), `must be in ${FIRST_YEAR} to ${LAST_YEAR}`)
  .transform((text) => new Date(text).toISOString());

const dateSchema = z
  .date()
  .transform((date) => date.toISOString())
  .pipe(instantSchema);

const optionsSchema = z
  .strictObject({
    queue: z.string().optional(),
    runAt: z.union([instantSchema, dateSchema]).optional(),
    delayMs: z.int().min(0).max(MAX_DELAY_MS).optional(),
    maxAttempts: z.int().min(1).max(MAX_ATTEMPTS).optional(),
    uniqueKey: z.string().min(1).max(MAX_UNIQUE_KEY_CHARACTERS).optional(),
    // Passed on from elsewhere: what is malformed of them is left out later, and refuses no job.
    traceparent: z.string().optional(),
    requestId: z.string().optional(),
  })
  .refine(({ runAt, delayMs }) => runAt === undefined || delayMs === undefined, {
    error: 'give runAt or delayMs, not both',
    path: ['delayMs'],
  });

export type GivenEnqueueOptions = z.input<typeof optionsSchema>;

/** Throws `InvalidInput` with a pointer to each option that is wrong or not known. */
export function toEnqueueOptions(given: GivenEnqueueOptions, pointer: string): EnqueueOptions {
  const parsed = optionsSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issues = toInputIssues(parsed.error.issues, pointer);
  const told = issues.map((issue) => `${issue.pointer} ${issue.detail}`).join('; ');
  throw new InvalidInput('invalid_options', `the options of the job are wrong: ${told}`, issues);
}

function isSaneYear(year: number): boolean {
  return year >= FIRST_YEAR && year <= LAST_YEAR;
}
