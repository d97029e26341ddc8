/**
 * Jobs that exist, as the class `Warren` shows them: found, listed, waited for and acted on, on the use cases of its client.
 */
import type { JobPage, JobPageRequest } from '#queue/browse.ts';
import { toBulkRequest } from '#queue/bulk/bulk.ts';
import type { GivenBulkRequest } from '#queue/bulk/bulk-input.ts';
import type { QueueClient } from '#queue/client.ts';
import type { Control } from '#queue/control.ts';
import type { GivenJobChanges } from '#queue/enqueue-options.ts';
import { toJobChanges } from '#queue/enqueue-options.ts';
import type { Explanation } from '#queue/explain/explanation.ts';
import type { Reencrypted, ReencryptOptions } from '#queue/reencrypt.ts';
import type { WaitOptions } from '#queue/wait.ts';
import { waitForEnd } from '#queue/wait.ts';
import { NotFound } from '#shared/base/errors.ts';
import type { Job } from '#shared/job/job.ts';
import type { JobLogLine } from '#shared/job/job-note.ts';

/** Jobs in a page. */
const DEFAULT_PAGE = 50;

/** Jobs that exist. All throw `NotFound` where there is no such job, and `Unavailable` where nobody can tell now. */
export interface WarrenJobs extends Omit<Control, 'edit'> {
  /**
   * Retries, cancels, deletes, runs or edits all jobs that match: resolves with the job of the type `act-on-jobs` that does it, or with their number where
   * `dryRun` is true. Throws `InvalidInput` where the request is wrong, or the application lacks that job type.
   */
  bulk(request: GivenBulkRequest & { dryRun: true }): Promise<{ count: number }>;
  bulk(request: GivenBulkRequest & { dryRun?: false | undefined }): Promise<{ job: Job }>;
  /** Changes a job that waits: all that is given, or nothing. Throws `Conflict` where it runs, has ended or has made as many attempts, `InvalidInput` where a change is wrong. */
  edit(id: string, changes: GivenJobChanges): Promise<Job>;
  /** Why it is not running, and what to do (docs/explain.md). */
  explain(id: string): Promise<Explanation>;
  /** Undefined where there is none with this id. */
  find(id: string): Promise<Job | undefined>;
  /** A page of jobs, newest first, at most `limit` (defaults to 50); `nextCursor` is the `cursor` of the next page. */
  list(filter?: Partial<JobPageRequest>): Promise<JobPage>;
  /** Encrypts with the first of `ENCRYPTION_KEYS` what another one has encrypted (docs/encryption.md). */
  reencrypt(options?: ReencryptOptions): Promise<Reencrypted>;
  /** What its handler has said, the oldest line first (docs/progress-and-logs.md). */
  logs(id: string): Promise<JobLogLine[]>;
  /** Resolves with the job when it has ended. At `timeoutMs` (defaults to 30 000) throws `Unavailable` with the code `not_ended`. */
  wait(id: string, options?: WaitOptions): Promise<Job>;
}

export interface WarrenJobsOptions {
  /** Ends what waits. */
  stopping: AbortSignal;
  /** In the clear, where its type is encrypted. */
  open: <One extends Job>(job: One) => One;
  reencrypt: WarrenJobs['reencrypt'];
}

export function createWarrenJobs(
  {
    browser,
    bulk,
    control,
    explain,
    watcher,
  }: Pick<QueueClient, 'browser' | 'bulk' | 'control' | 'explain' | 'watcher'>,
  { stopping, open, reencrypt }: WarrenJobsOptions,
): WarrenJobs {
  return {
    explain,
    find: async (id) => {
      try {
        return open(await browser.find(id));
      } catch (error) {
        if (error instanceof NotFound) return undefined;
        throw error;
      }
    },
    list: async (filter = {}) => {
      const page = await browser.list({ limit: DEFAULT_PAGE, ...filter }, { seesHidden: true });
      return { ...page, jobs: page.jobs.map(open) };
    },
    cancel: async (id) => open(await control.cancel(id)),
    retry: async (id, changes) => open(await control.retry(id, changes)),
    run: async (id) => open(await control.run(id)),
    move: async (id, queue) => open(await control.move(id, queue)),
    delete: async (id) => open(await control.delete(id)),
    reencrypt,
    bulk: async (request: GivenBulkRequest) =>
      (await bulk(toBulkRequest(request), {}, { seesHidden: true })) as never, // the answer that was asked for
    logs: (id) => browser.logs(id),
    edit: async (id, changes) => open(await control.edit(id, toJobChanges(changes))),
    wait: async (id, { signal, ...options } = {}) =>
      open(
        await waitForEnd(watcher, id, {
          ...options,
          signal: signal === undefined ? stopping : AbortSignal.any([signal, stopping]),
        }),
      ),
  };
}
