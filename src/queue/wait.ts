/**
 * Waits until a job has ended.
 *
 * Guarantees: ends at its deadline, whatever is away; an outage of Postgres meanwhile only delays the answer. However many wait, the process asks
 * Postgres once for all of them (watch.ts).
 */
import { sleep } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { Job } from '#shared/job/job.ts';
import type { JobWatcher } from './watch.ts';

const AFTER_OUTAGE_MS = 200;

export interface WaitOptions {
  /** How long to wait at most. Defaults to 30 000. */
  timeoutMs?: number | undefined;
  /** Ends the wait early. Defaults to none. */
  signal?: AbortSignal | undefined;
}

/**
 * Resolves with the job as it has ended: `completed`, `cancelled` or `discarded`. Throws `NotFound` where there is none, `Unavailable` with the code
 * `not_ended` at the deadline, and the signal's reason when that aborts.
 */
export async function waitForEnd(
  watcher: Pick<JobWatcher, 'watch'>,
  id: string,
  { timeoutMs = 30_000, signal }: WaitOptions,
): Promise<Job> {
  signal?.throwIfAborted();
  const job = await watchToEnd(watcher, id, { timeoutMs, signal });
  if (job !== undefined && job.finishedAt !== null) return job;
  signal?.throwIfAborted();
  throw new Unavailable('not_ended', `job ${id} has not ended within ${timeoutMs} ms`);
}

/** The same, save that the job may not have ended: undefined where it could not even be read. Throws `NotFound`, and `Unavailable` at the end of an outage that lasts longer. */
export async function watchToEnd(
  watcher: Pick<JobWatcher, 'watch'>,
  id: string,
  { timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined },
): Promise<Job | undefined> {
  const over = new AbortController();
  const end = () => over.abort();
  const timer = setTimeout(end, timeoutMs);
  signal?.addEventListener('abort', end, { once: true });
  let last: Job | undefined;
  try {
    for (;;) {
      try {
        for await (const job of watcher.watch(id, over.signal)) last = job;
        return last;
      } catch (error) {
        if (!(error instanceof Unavailable) || over.signal.aborted || error.code === 'stopping') throw error;
        await sleep(AFTER_OUTAGE_MS, over.signal);
        if (over.signal.aborted) throw error;
      }
    }
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', end);
  }
}
