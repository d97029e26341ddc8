/**
 * An act on all jobs that match a filter: counted, or enqueued as a job of its own (`act-on-jobs`), whose progress is seen and which can be cancelled as any.
 *
 * Guarantees: the count is of the jobs that the act would be done to at this moment; the job leaves alone what is enqueued after it.
 */
import { InvalidInput } from '#shared/base/errors.ts';
import { toInputIssues } from '#shared/base/input-issues.ts';
import type { App } from '#shared/job/app.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import { noEncryption } from '#shared/job/encryption.ts';
import type { Job } from '#shared/job/job.ts';
import type { Trace } from '#shared/job/trace.ts';
import type { Database } from '#shared/postgres/database.ts';
import { countForAct } from '#shared/postgres/statements/bulk.ts';
import type { JobChanges } from '#shared/postgres/statements/edit.ts';
import type { Sealing } from '#shared/postgres/statements/reencrypt.ts';
import { findLatestId } from '#shared/postgres/statements/waiting.ts';
import type { Sight } from '../browse.ts';
import { withSearched } from '../browse.ts';
import { toChanges } from '../control.ts';
import type { Enqueuer } from '../enqueue.ts';
import type { CheckedJobChanges } from '../enqueue-options.ts';
import { encryptedTypes } from '../reencrypt.ts';
import type { BulkRequest, GivenBulkRequest } from './bulk-input.ts';
import { BULK_TYPE, bulkRequestSchema, toManyAct } from './bulk-input.ts';
import type { ManyArguments } from './many-arguments.ts';
import { toManyArguments } from './many-arguments.ts';

/** The count may read the whole table. */
const COUNT_DEADLINE_MS = 10_000;

export type BulkAnswer = { count: number } | { job: Job };

/**
 * Resolves with the count where `dryRun` is true, else with the job that does it. Throws `InvalidInput` and `Unavailable`.
 */
export type Bulk = (request: BulkRequest, trace?: Trace, sight?: Sight) => Promise<BulkAnswer>;

export interface BulkOptions {
  database: Database;
  enqueuer: Pick<Enqueuer, 'enqueue'>;
  app: Pick<App, 'definitions' | 'queues'>;
  encryption?: Encryption | undefined;
}

export function createBulk({ database, enqueuer, app, encryption = noEncryption }: BulkOptions): Bulk {
  return async (
    { dryRun = false, action, set: given, perSecond, ...request },
    trace = {},
    { seesHidden = false } = {},
  ) => {
    const filter = seesHidden ? request.filter : withSearched(request.filter, app.definitions);
    const set = given === undefined ? undefined : await toManyChanges(given, { filter, app, encryption });
    const sealing = action === 'reencrypt' ? sealingOf(app, encryption) : undefined;
    if (dryRun) {
      const act = toManyAct({ action, filter, set, sealing });
      return { count: await database.query((sql) => countForAct(sql, act), COUNT_DEADLINE_MS) };
    }
    const definition = app.definitions.get(BULK_TYPE);
    if (definition === undefined)
      throw new InvalidInput(
        'no_bulk_type',
        `the application has no job type "${BULK_TYPE}": it has no queue, or is made by an older version of this package`,
      );
    const upToId = await database.query(findLatestId);
    const args = { action, filter, set, sealing, perSecond, upToId: upToId === '0' ? '1' : upToId };
    const { job } = await enqueuer.enqueue({ definition, args, ...trace });
    return { job };
  };
}

async function toManyChanges(
  { args, ...changes }: CheckedJobChanges,
  context: Omit<ManyArguments, 'args'> & Pick<BulkOptions, 'app'>,
): Promise<JobChanges> {
  const checked = toChanges(context.app, changes);
  return args === undefined ? checked : { ...checked, argsJson: await toManyArguments({ args, ...context }) };
}

function sealingOf(app: Pick<App, 'definitions'>, encryption: Encryption): Sealing {
  const types = encryptedTypes(app);
  if (types.length > 0) return { types, keyId: encryption.currentKeyId };
  const issues = [{ detail: 'there is nothing to be encrypted anew', pointer: '/action' }];
  throw new InvalidInput('nothing_encrypted', 'the application has no job type that is encrypted', issues);
}

/** Throws `InvalidInput` with a pointer to each member that is wrong or not known. */
export function toBulkRequest(given: GivenBulkRequest): BulkRequest {
  const parsed = bulkRequestSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  const issues = toInputIssues(parsed.error.issues, '');
  const told = issues.map(({ pointer, detail }) => `${pointer} ${detail}`).join('; ');
  throw new InvalidInput('invalid_bulk', `the act on many jobs is wrong: ${told}`, issues);
}
