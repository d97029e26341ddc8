/**
 * Waits until a job has ended.
 *
 * Guarantees: ends at its deadline, whatever is away; an outage of Postgres meanwhile only delays the answer. Waits of one turn of the event loop share
 * their look-ups, and each looks less often the longer it waits.
 */
import { sleep } from '#shared/base/backoff.ts';
import { Unavailable } from '#shared/base/errors.ts';
import type { Job } from '#shared/job/job.ts';
import type { Browser } from './browse.ts';

const FIRST_LOOK_MS = 20;
const LAST_LOOK_MS = 500;
const GROWTH = 1.5;

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
  browser: Pick<Browser, 'find'>,
  id: string,
  { timeoutMs = 30_000, signal }: WaitOptions,
): Promise<Job> {
  const deadline = performance.now() + timeoutMs;
  let lookMs = FIRST_LOOK_MS;
  for (;;) {
    signal?.throwIfAborted();
    const job = await findOrOutage(browser, id);
    if (job instanceof Unavailable) {
      if (performance.now() >= deadline) throw job;
    } else if (job.finishedAt !== null) return job;
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) throw new Unavailable('not_ended', `job ${id} has not ended within ${timeoutMs} ms`);
    await sleep(Math.min(lookMs, leftMs), signal);
    lookMs = Math.min(lookMs * GROWTH, LAST_LOOK_MS);
  }
}

async function findOrOutage(browser: Pick<Browser, 'find'>, id: string): Promise<Job | Unavailable> {
  try {
    return await browser.find(id);
  } catch (error) {
    if (error instanceof Unavailable) return error;
    throw error;
  }
}
