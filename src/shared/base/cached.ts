/**
 * An expensive answer that many may share: one load at a time, and its result holds for a while.
 */

/** `freshMs` counts from the end of the load; a load that took longer than that holds as long as it took. A failed load is not kept. */
export function cached<T>(load: () => Promise<T>, freshMs: number): () => Promise<T> {
  let current: Promise<T> | undefined;
  let validUntil = Number.POSITIVE_INFINITY;
  return () => {
    if (current !== undefined && performance.now() < validUntil) return current;
    const startedAt = performance.now();
    validUntil = Number.POSITIVE_INFINITY; // while it loads, everybody waits for the same
    current = load();
    current.then(
      () => {
        const endedAt = performance.now();
        validUntil = endedAt + Math.max(freshMs, endedAt - startedAt);
      },
      () => {
        current = undefined;
      },
    );
    return current;
  };
}

/**
 * The same for an answer that nobody shall wait for: what is older than `freshMs` is handed out once more while the next one loads behind it. One older than
 * `staleMs` is waited for, as the first one is: nobody has asked for that long. A load that fails behind an answer is tried again by the next who asks.
 */
export function kept<T>(
  load: () => Promise<T>,
  { freshMs, staleMs }: { freshMs: number; staleMs: number },
): () => Promise<T> {
  const next = cached(load, freshMs);
  let last: { answer: T; at: number } | undefined;
  const renew = async () => {
    const answer = await next();
    if (last?.answer !== answer) last = { answer, at: performance.now() };
    return answer;
  };
  return async () => {
    if (last === undefined || performance.now() - last.at > staleMs) return await renew();
    void renew().catch(() => {}); // the next who asks tries again, and waits for it where it goes on failing
    return last.answer;
  };
}
