/**
 * Jobs that exist, as the class `Warren` shows them: found, listed, waited for, cancelled and retried, on the use cases of its client.
 */
import type { JobPage, JobPageRequest } from '#queue/browse.ts';
import type { QueueClient } from '#queue/client.ts';
import type { Control } from '#queue/control.ts';
import type { WaitOptions } from '#queue/wait.ts';
import { waitForEnd } from '#queue/wait.ts';
import { NotFound } from '#shared/base/errors.ts';
import type { Job } from '#shared/job/job.ts';

/** Jobs in a page. */
const DEFAULT_PAGE = 50;

/** Jobs that exist. All throw `NotFound` where there is no such job, and `Unavailable` where nobody can tell now. */
export interface WarrenJobs extends Pick<Control, 'cancel' | 'retry'> {
  /** Undefined where there is none with this id. */
  find(id: string): Promise<Job | undefined>;
  /** A page of jobs, newest first, at most `limit` (defaults to 50); `nextCursor` is the `cursor` of the next page. */
  list(filter?: Partial<JobPageRequest>): Promise<JobPage>;
  /** Resolves with the job when it has ended. At `timeoutMs` (defaults to 30 000) throws `Unavailable` with the code `not_ended`. */
  wait(id: string, options?: WaitOptions): Promise<Job>;
}

/** `stopping`: ends what waits. */
export function createWarrenJobs(
  { browser, control }: Pick<QueueClient, 'browser' | 'control'>,
  stopping: AbortSignal,
): WarrenJobs {
  return {
    find: (id) =>
      browser.find(id).catch((error: unknown) => {
        if (error instanceof NotFound) return undefined;
        throw error;
      }),
    list: (filter = {}) => browser.list({ limit: DEFAULT_PAGE, ...filter }),
    cancel: (id) => control.cancel(id),
    retry: (id) => control.retry(id),
    wait: (id, { signal, ...options } = {}) =>
      waitForEnd(browser, id, {
        ...options,
        signal: signal === undefined ? stopping : AbortSignal.any([signal, stopping]),
      }),
  };
}
