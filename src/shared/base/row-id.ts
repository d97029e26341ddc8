/**
 * Row ids: positive bigints. They are decimal strings everywhere, for a bigint does not fit into a JavaScript number.
 */

/** Digits that an id may have. */
export const MAX_ID_DIGITS = 19;
const MAX_ID = 2n ** 63n - 1n;

/** The id in its only decimal spelling, or null where the text is none. */
export function parseId(text: string): string | null {
  return /^[1-9]\d{0,18}$/.test(text) && BigInt(text) <= MAX_ID ? text : null;
}
