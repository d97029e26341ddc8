// Asks again until the answer satisfies, for what tells nobody when it changes: a row, the broker's panel. Fails at a deadline, with the last answer.
import { setTimeout as delay } from 'node:timers/promises';

/** When a test is taken for hanging, in milliseconds. Other work on the same machine may slow everything down by much. */
export const HANG_MS = 90_000;

export async function eventually<T>(
  ask: () => Promise<T> | T,
  satisfies: (answer: T) => boolean,
  { timeoutMs = HANG_MS, everyMs = 20 }: { timeoutMs?: number; everyMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (satisfies(answer)) return answer;
    if (performance.now() > deadline)
      throw new Error(`not within ${timeoutMs} ms; last seen: ${JSON.stringify(answer)}`);
    await delay(everyMs);
  }
}
