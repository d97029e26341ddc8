/**
 * Asks one of several services that do the same, chosen at random; where it does not answer, another one.
 */
import { setTimeout as sleep } from 'node:timers/promises';

const TIMEOUT_MS = 2_000;
const ROUNDS = 3;
const PAUSE_MS = 200;

/** Resolves with the first answer of the range 200. Throws where none of them gave one, three times round: whoever asks must not mind that one of those may have heard. */
export async function askOneOf(
  urls: readonly string[],
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const failures: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    if (round > 0) await sleep(PAUSE_MS);
    for (const url of shuffled(urls)) {
      try {
        const response = await fetch(new URL(path, url), {
          ...init,
          signal: AbortSignal.timeout(TIMEOUT_MS),
        });
        if (response.ok) return response;
        failures.push(`${url} answered ${response.status}`);
        await response.body?.cancel();
      } catch (error) {
        failures.push(`${url}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
  }
  throw new Error(`no service has answered ${path}: ${failures.slice(-urls.length).join(', ')}`);
}

function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, at: Math.random() }))
    .toSorted((one, other) => one.at - other.at)
    .map(({ item }) => item);
}
