/**
 * An act on many jobs as somebody asks for it, and as the job that does it has it in its arguments. Pure.
 *
 * Guarantees: what is not known is refused, and so is a filter without a member, so that no slip of the pen becomes an act on every job.
 */
import { z } from 'zod';
import { InvalidInput } from '#shared/base/errors.ts';
import type { SearchFilter } from '#shared/job/job-filter.ts';
import { manyActions } from '#shared/job/transitions.ts';
import type { ManyAct } from '#shared/postgres/statements/bulk.ts';
import type { JobChanges } from '#shared/postgres/statements/edit.ts';
import type { Sealing } from '#shared/postgres/statements/reencrypt.ts';
import { changesSchema } from '../enqueue-options.ts';
import { filterSchema } from '../filter-input.ts';

/** The job type that does it. */
export const BULK_TYPE = 'act-on-jobs';
/**
 * Its arguments are made here, with where the text of its filter is looked for: given by somebody they would search what he is not shown. Throws
 * `InvalidInput` for that type.
 */
export function refuseBulkType(type: string): void {
  if (type !== BULK_TYPE) return;
  const issues = [{ detail: 'is enqueued by POST /v1/jobs/bulk alone', pointer: '/type' }];
  throw new InvalidInput('bulk_type', `jobs of the type "${type}" are made for acts on many jobs`, issues);
}
export const DEFAULT_PER_SECOND = 1_000;
const MAX_PER_SECOND = 10_000;

/** Where `q` looks says nothing of which jobs are meant. */
const notEmpty = [
  (filter: object) =>
    Object.entries(filter).some(([name, value]) => name !== 'searched' && value !== undefined),
  'must have a member: list all states to mean every job',
] as const;
const members = {
  action: z.enum(manyActions),
  filter: filterSchema.refine(...notEmpty),
  perSecond: z.int().min(1).max(MAX_PER_SECOND),
};

const EDITS_WHAT = {
  error: 'must have a member where the action is "edit", and is for that action only',
  path: ['set'],
};

function hasWhatItNeeds({ action, set = {} }: { action: string; set?: object | undefined }): boolean {
  return (action === 'edit') === Object.values(set).some((value) => value !== undefined);
}

export const bulkRequestSchema = z
  .strictObject({
    ...members,
    perSecond: members.perSecond.optional(),
    set: changesSchema.optional(),
    dryRun: z.boolean().optional(),
  })
  .refine(hasWhatItNeeds, EDITS_WHAT);

export type GivenBulkRequest = z.input<typeof bulkRequestSchema>;
export type BulkRequest = z.output<typeof bulkRequestSchema>;

/** The arguments of the job. */
export const bulkArguments = z
  .strictObject({
    ...members,
    /** With where `q` looks, as it was for whoever has asked. */
    filter: filterSchema
      .extend({ searched: z.record(z.string(), z.array(z.array(z.string()))).optional() })
      .refine(...notEmpty),
    perSecond: members.perSecond.default(DEFAULT_PER_SECOND),
    set: changesSchema
      .omit({ args: true })
      .extend({
        /** Checked, and encrypted where the type is. */
        argsJson: z.string().optional(),
        expiresInMs: z.record(z.string(), z.number()).optional(),
      })
      .optional(),
    /** Jobs that were enqueued later are left alone: it comes to an end however many come. */
    upToId: z.string().regex(/^[1-9]\d{0,18}$/),
    /** For `reencrypt`: the encrypted types of the application that has asked, and the key that its jobs are to have. */
    sealing: z.strictObject({ types: z.array(z.string()), keyId: z.string() }).optional(),
  })
  .refine(hasWhatItNeeds, EDITS_WHAT)
  .refine(
    ({ action, sealing }) => (action === 'reencrypt') === (sealing !== undefined),
    'must say what is encrypted with which key where the action is "reencrypt", and there only',
  );

export type BulkArguments = z.output<typeof bulkArguments>;

interface Described {
  action: ManyAct['action'];
  filter: SearchFilter;
  set?: JobChanges | undefined;
  sealing?: Sealing | undefined;
}

/** What is done, as the statements take it. */
export function toManyAct({ action, filter, set, sealing }: Described): ManyAct {
  if (action !== 'reencrypt') return { action, filter, set };
  if (sealing === undefined) throw new Error('nothing says what is to be encrypted'); // the schema has seen to it
  return { action, filter, sealing };
}
