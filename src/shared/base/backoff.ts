/**
 * Waiting longer after each failure, with jitter, so that many waiters do not come back at the same moment.
 */
import { setTimeout } from 'node:timers/promises';

export interface BackoffOptions {
  /** The first wait in milliseconds, before jitter. */
  firstMs: number;
  /** No wait is longer than this, in milliseconds. */
  maxMs: number;
  /** The share of the wait that is random, 0 to 1. Defaults to 0.2. */
  jitter?: number;
}

/** The wait before try `retry` + 1, in milliseconds; `retry` counts from 1. Doubles each time, then is spread by ± jitter. */
export function backoffMs(retry: number, { firstMs, maxMs, jitter = 0.2 }: BackoffOptions): number {
  const exponent = Math.min(Math.max(retry, 1) - 1, 40);
  const spread = 1 + jitter * (2 * Math.random() - 1);
  return Math.round(Math.min(firstMs * 2 ** exponent, maxMs) * spread);
}

/** Waits; resolves early, without an error, when the signal aborts. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, signal === undefined ? {} : { signal });
  } catch (error) {
    if (!signal?.aborted) throw error;
  }
}

/** True when `work` has resolved, false after `ms` milliseconds; then it goes on. Leaves no timer behind, which would keep the process. Rejects as `work` does. */
export async function resolvedWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const settled = new AbortController();
  try {
    const late = sleep(ms, settled.signal).then(() => false);
    return await Promise.race([work.then(() => true), late]);
  } finally {
    settled.abort();
  }
}

/** Resolves when the signal aborts. Each call leaves a listener on the signal: make it once for a signal that lives long. */
export function aborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true });
  return promise;
}

/** The longest wait that a timer of Node can have, in milliseconds: a longer one would fire at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Rejects with `onTimeout()` when `promise` has not settled within `ms` milliseconds, or before the signal aborts. The promise itself goes on.
 */
export async function withDeadline<T>(
  promise: Promise<T>,
  ms: number,
  onTimeout: () => Error,
  signal?: AbortSignal,
): Promise<T> {
  const deadline = Promise.withResolvers<never>();
  const giveUp = () => deadline.reject(onTimeout());
  const timer = globalThis.setTimeout(giveUp, ms);
  signal?.addEventListener('abort', giveUp, { once: true });
  if (signal?.aborted) giveUp();
  try {
    return await Promise.race([promise, deadline.promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
  }
}
