/**
 * A filter on jobs as somebody gives it, over HTTP or in code: checked before it reaches a statement. Pure.
 *
 * Guarantees: what is not known is refused, so that a misspelt member never makes an act on many jobs an act on all.
 */
import { z } from 'zod';
import { isName } from '#shared/job/app.ts';
import { jobStates } from '#shared/job/transitions.ts';
import { instantSchema, jobMembers, MAX_PRIORITY } from './enqueue-options.ts';

const MAX_VALUES = 20;
const MAX_CHARACTERS = 200;

/** Postgres stores no U+0000. */
const text = z
  .string()
  .min(1)
  .max(MAX_CHARACTERS)
  .refine((value) => !value.includes('\0') && value.isWellFormed(), 'contains what cannot be stored');
const oneOrMore = <Schema extends z.ZodType>(schema: Schema) =>
  z.union([schema, z.array(schema).min(1).max(MAX_VALUES).readonly()]);

/** The members of a `JobFilter`, the same in code and over HTTP. */
export const filterMembers = {
  state: oneOrMore(z.enum(jobStates)),
  type: oneOrMore(text),
  queue: z.string().refine(isName, 'is no name of a queue: [a-z0-9_-]{1,60}'),
  priority: z.int().min(0).max(MAX_PRIORITY),
  group: text,
  tag: oneOrMore(text),
  batch: jobMembers.batch,
  createdAfter: instantSchema,
  finishedAfter: instantSchema,
  finishedBefore: instantSchema,
  q: text,
};

export const filterSchema = z.strictObject(z.object(filterMembers).partial().shape);
