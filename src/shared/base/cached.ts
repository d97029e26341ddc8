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
