/**
 * Row ids: positive bigints. They are decimal strings everywhere, for a bigint does not fit into a JavaScript number.
 */

/** Digits that an id may have. */
export const MAX_ID_DIGITS = 19;
const MAX_ID = 2n ** 63n - 1n;

/** The id in its only decimal spelling, or null where the text is none. */
export function parseId(text: string): string | null {
  if (!/^[1-9]\d{0,18}$/.test(text)) return null;
  return text.length < MAX_ID_DIGITS || BigInt(text) <= MAX_ID ? text : null; // a bigint for each id of each message would cost
}
