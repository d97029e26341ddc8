/**
 * Long work in short slices, so that the event loop serves everybody else between them.
 *
 * Guarantees: in one turn of the event loop at most one slice runs, however many pieces of long work there are; the results come in the order of
 * the items. An item that takes long by itself is not cut.
 */
import { setImmediate } from 'node:timers/promises';

const SLICE_MS = 10;

let lastTurn: Promise<void> = Promise.resolve();

/** Resolves in a later turn of the event loop, one that nobody else who waits for one gets. */
export function nextTurn(): Promise<void> {
  lastTurn = lastTurn.then(() => setImmediate());
  return lastTurn;
}

/** Maps the items, giving way to others every ten milliseconds, and waits for those that map to a promise. Rejects with what `map` throws first. */
export async function mapInSlices<Item, Result>(
  items: readonly Item[],
  map: (item: Item, index: number) => Result | Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let until = performance.now() + SLICE_MS;
  for (const [index, item] of items.entries()) {
    const result = map(item, index);
    results.push(result instanceof Promise ? await result : result);
    if (performance.now() < until) continue;
    await nextTurn();
    until = performance.now() + SLICE_MS;
  }
  return results;
}
