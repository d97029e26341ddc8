// How many jobs the broker has, by the count of the program that published them. The queue's depth would not tell: a message may carry the
// ids of many jobs, and a worker may take it at once.
import { waitUntil } from '../../dev/wait-until.ts';
import { monotonicMs } from './monotonic.ts';

const TIMEOUT_MS = 60_000;
const LOOK_MS = 5;

/** Since the API at this URL began. */
export async function readConfirmed(url: string): Promise<number> {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(10_000) });
  return Number(/^warren_publishes_confirmed_total (\d+)/m.exec(await response.text())?.[1] ?? 0);
}

/** Resolves with the time at which it was seen to have so many: the moment of the last confirm, or a little later. */
export async function confirmed(url: string, jobs: number): Promise<number> {
  const check = async () => ((await readConfirmed(url)) >= jobs ? monotonicMs() : undefined);
  return await waitUntil({ what: 'the confirms', check, timeoutMs: TIMEOUT_MS, intervalMs: LOOK_MS });
}
