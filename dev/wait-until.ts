// Waits for something that can only be asked for (a port, a health check), with a deadline and a sign of life.
// The question is put again every `intervalMs`; what it throws is kept as the cause of the final error.
import { setTimeout as delay } from 'node:timers/promises';

export type WaitOptions<T> = {
  /** What is waited for, as it reads after "waiting for". */
  readonly what: string;
  /** Answers undefined as long as it is not there yet; throwing means the same. */
  readonly check: () => Promise<T | undefined> | T | undefined;
  /** Throws when waiting any longer makes no sense, for example because the server has exited. */
  readonly assertPossible?: () => void;
  readonly timeoutMs: number;
  readonly intervalMs?: number;
  readonly log?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
};

const firstNoticeMs = 1_000;
const nextNoticeMs = 5_000;

export async function waitUntil<T>(options: WaitOptions<T>): Promise<T> {
  const { what, check, assertPossible, timeoutMs, intervalMs = 50, log, signal } = options;
  const startedAt = performance.now();
  let noticeAfterMs = firstNoticeMs;
  let cause: unknown;
  for (;;) {
    signal?.throwIfAborted();
    assertPossible?.();
    try {
      const answer = await check();
      if (answer !== undefined) return answer;
    } catch (error) {
      cause = error;
    }
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs >= timeoutMs) {
      const seconds = Math.round(timeoutMs / 1_000);
      throw new Error(
        `waited ${seconds} s for ${what}${cause instanceof Error ? `: ${cause.message}` : ''}`,
        { cause },
      );
    }
    if (elapsedMs >= noticeAfterMs) {
      log?.(`waiting for ${what} (${Math.round(elapsedMs / 1_000)} s) …`);
      noticeAfterMs += nextNoticeMs;
    }
    await delay(Math.min(intervalMs, timeoutMs - elapsedMs), undefined, { signal });
  }
}
