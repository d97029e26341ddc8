// Contenders take turns in another order each round, so that none is always the first.

/** The same items, begun with the one that many places on. */
export function rotate<T>(items: readonly T[], by: number): T[] {
  const first = by % items.length;
  return [...items.slice(first), ...items.slice(0, first)];
}
