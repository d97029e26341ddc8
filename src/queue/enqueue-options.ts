/**
 * How a job is to be treated, as an application's code says it: checked before anything is written. Pure.
 *
 * Guarantees: what is not known is refused, so that a misspelt option, or one of a later version, is never left out in silence.
 */
import { z } from 'zod';
import { InvalidInput } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import type { EnqueueOptions } from '#shared/job/job.ts';
import { onConflicts } from '#shared/job/job.ts';

/** Ten years. */
export const MAX_DELAY_MS = 315_360_000_000;
export const MAX_ATTEMPTS = 100;
const MAX_GRANTED_ATTEMPTS = 1_000;
export const MAX_UNIQUE_KEY_CHARACTERS = 200;
export const MAX_PRIORITY = 9;
const MAX_TAGS = 20;
const MAX_LIMITS = 10;
/** `stripe`, or `stripe:customer-7` for the places of one key. */
const LIMIT = /^[a-z0-9_-]{1,60}(?::.{1,200})?$/u;
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

const uniqueKeySchema = z.string().min(1).max(MAX_UNIQUE_KEY_CHARACTERS);
const keySchema = z.string().min(1).max(200);

export const uniqueSchema = z.strictObject({
  key: uniqueKeySchema,
  for: z
    .union([z.enum(['live', 'waiting']), z.strictObject({ ms: z.int().min(1).max(MAX_DELAY_MS) })])
    .optional(),
  onConflict: z.enum(onConflicts).optional(),
});

/** What a job may have beside its type, its arguments and its time; the same in code and over HTTP. */
export const jobMembers = {
  priority: z.int().min(0).max(MAX_PRIORITY),
  group: keySchema,
  orderingKey: keySchema,
  tags: z.array(z.string().min(1).max(100)).max(MAX_TAGS).readonly(),
  limits: z
    .array(z.string().regex(LIMIT, 'must be the name of a limit, or name:key'))
    .max(MAX_LIMITS)
    .readonly(),
  unique: uniqueSchema,
  batch: z.string().regex(/^[1-9]\d{0,18}$/, 'must be the id of a batch'),
};

/** True where at most one of the two is given. */
export function isEitherUnique(given: { uniqueKey?: unknown; unique?: unknown }): boolean {
  return given.uniqueKey === undefined || given.unique === undefined;
}

export const EITHER_UNIQUE = { error: 'give uniqueKey or unique, not both', path: ['unique'] };

const optionsSchema = z
  .strictObject({
    queue: z.string().optional(),
    runAt: z.union([instantSchema, dateSchema]).optional(),
    delayMs: z.int().min(0).max(MAX_DELAY_MS).optional(),
    maxAttempts: z.int().min(1).max(MAX_ATTEMPTS).optional(),
    uniqueKey: uniqueKeySchema.optional(),
    ...z.object(jobMembers).partial().shape,
    expiresAt: z.union([instantSchema, dateSchema]).optional(),
    // Passed on from elsewhere: what is malformed of them is left out later, and refuses no job.
    traceparent: z.string().optional(),
    tracestate: z.string().optional(),
    requestId: z.string().optional(),
    baggage: z.string().optional(),
  })
  .refine(({ runAt, delayMs }) => runAt === undefined || delayMs === undefined, {
    error: 'give runAt or delayMs, not both',
    path: ['delayMs'],
  })
  .refine(isEitherUnique, EITHER_UNIQUE);

export type GivenEnqueueOptions = z.input<typeof optionsSchema>;

/** Throws `InvalidInput` with a pointer to each option that is wrong or not known. */
export function toEnqueueOptions(given: GivenEnqueueOptions, pointer: string): EnqueueOptions {
  return parse(optionsSchema, given, { name: 'the options of the job', pointer });
}

/**
 * What a person may change of jobs that wait, of one or of many; the same in code and over HTTP. A person may grant more attempts than an enqueue may ask for.
 * The arguments are checked against the schema of the job's type.
 */
export const changesSchema = z.strictObject({
  priority: jobMembers.priority.optional(),
  maxAttempts: z.int().min(1).max(MAX_GRANTED_ATTEMPTS).optional(),
  runAt: z.union([instantSchema, dateSchema]).optional(),
  queue: z.string().optional(),
  args: z.unknown().optional(),
});

export type GivenJobChanges = z.input<typeof changesSchema>;
export type CheckedJobChanges = z.output<typeof changesSchema>;

/** Throws `InvalidInput` with a pointer to each change that is wrong or not known. */
export function toJobChanges(given: GivenJobChanges): CheckedJobChanges {
  return parse(changesSchema, given, { name: 'the changes of the job', pointer: '/changes' });
}

function parse<Schema extends z.ZodType>(
  schema: Schema,
  given: unknown,
  { name, pointer }: { name: string; pointer: string },
): z.output<Schema> {
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issues = toInputIssues(parsed.error.issues, pointer);
  const told = issues.map((issue) => `${issue.pointer} ${issue.detail}`).join('; ');
  throw new InvalidInput('invalid_options', `${name} are wrong: ${told}`, issues);
}

function isSaneYear(year: number): boolean {
  return year >= FIRST_YEAR && year <= LAST_YEAR;
}
