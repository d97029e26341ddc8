/**
 * Makes many requests for one task into few runs of it, so that a flood of requests costs a bounded amount of work.
 *
 * Guarantees: one run at a time; every request is followed by a run that begins after it; two runs begin at least `betweenMs` apart. The first request
 * after a quiet time runs at once.
 */
import { sleep } from './backoff.ts';

/** Returns what requests a run: it settles with the first run that begins after the call. */
export function coalesce(run: () => Promise<void>, betweenMs: number): () => Promise<void> {
  let current: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  let startedAt = Number.NEGATIVE_INFINITY;

  async function runNext(earlier: Promise<void>): Promise<void> {
    await earlier.catch(() => {}); // who requested that run was told
    const waitMs = startedAt + betweenMs - performance.now();
    if (waitMs > 0) await sleep(waitMs);
    startedAt = performance.now();
    next = undefined;
    await run();
  }

  return () => {
    next ??= current = runNext(current);
    return next;
  };
}
