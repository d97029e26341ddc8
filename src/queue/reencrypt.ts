/**
 * Encrypts arguments and outputs of jobs anew with the first key of the ring: what a key is retired by.
 *
 * Guarantees: a job is written as it was read or left as it is; a page at a time, so that a table of any size is gone through. One that cannot be opened
 * (its key is missing, it was changed) is left as it is and named.
 */
import type { App } from '#shared/job/app.ts';
import type { Encryption } from '#shared/job/encryption.ts';
import type { Database } from '#shared/postgres/database.ts';
import type { RenewedJob, SealedJob } from '#shared/postgres/statements/reencrypt.ts';
import { findOutdated, writeSealed } from '#shared/postgres/statements/reencrypt.ts';

const PAGE = 200;
const MAX_NAMED = 100;

export interface ReencryptOptions {
  /** Defaults to every encrypted type of the application. */
  type?: string | undefined;
  /** Ends it between two pages. */
  signal?: AbortSignal | undefined;
}

export interface Reencrypted {
  /** How many jobs were written. */
  count: number;
  /** Ids of jobs that could not be opened, the first hundred. */
  unreadable: string[];
}

export interface ReencryptParts {
  database: Pick<Database, 'query'>;
  app: Pick<App, 'definitions'>;
  encryption: Encryption;
}

/** Those that are enqueued meanwhile have the first key already, where all programs have the ring. */
export async function reencryptJobs(
  { database, app, encryption }: ReencryptParts,
  { type, signal }: ReencryptOptions = {},
): Promise<Reencrypted> {
  const { currentKeyId: keyId } = encryption;
  const types = encryptedTypes(app).filter((each) => type === undefined || each === type);
  let after = '0';
  const done: Reencrypted = { count: 0, unreadable: [] };
  for (;;) {
    signal?.throwIfAborted();
    const from = after;
    const jobs = await database.query((sql) => findOutdated(sql, { types, after: from, limit: PAGE, keyId }));
    const last = jobs.at(-1);
    if (last === undefined) return done;
    const renewed = jobs.flatMap((job) => {
      const one = renewJob(job, encryption);
      if (one === undefined && done.unreadable.length < MAX_NAMED) done.unreadable.push(job.id);
      return one ?? [];
    });
    done.count += (await database.query((sql) => writeSealed(sql, renewed))).length;
    after = last.id;
  }
}

export function encryptedTypes({ definitions }: Pick<App, 'definitions'>): string[] {
  return [...definitions.values()].filter(({ encrypted }) => encrypted === true).map(({ type }) => type);
}

/** The job as it is to be written; undefined where it cannot be opened. */
export function renewJob(
  { id, type, args, output }: SealedJob,
  encryption: Pick<Encryption, 'renew'>,
): RenewedJob | undefined {
  try {
    return {
      id,
      oldArgs: args,
      args: encryption.renew(args, { type, part: 'args' }),
      oldOutput: output,
      output: encryption.renew(output, { type, part: 'output' }),
    };
  } catch {
    return undefined;
  }
}
